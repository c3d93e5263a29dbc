"""Where the nats go: what separates the bound from log p(x), and what each latent carries."""
