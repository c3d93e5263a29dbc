"""What a user of PyTorch would write: modules, autograd, `randn_like`, the default Adagrad; no line of this project."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class PlainVAE(nn.Module):
    """Encoder and decoder with one tanh layer each, as in Kingma & Welling 2013, appendix C."""

    def __init__(self, n_latent: int, n_hidden: int, n_pixels: int = 784) -> None:
        super().__init__()
        self.encoder = nn.Linear(n_pixels, n_hidden)
        self.mean = nn.Linear(n_hidden, n_latent)
        self.log_var = nn.Linear(n_hidden, n_latent)
        self.decoder = nn.Linear(n_latent, n_hidden)
        self.output = nn.Linear(n_hidden, n_pixels)

    def forward(self, x: Tensor) -> Tensor:
        """Minus the lower bound (eq. 10), nats, summed over the minibatch."""
        h = torch.tanh(self.encoder(x))
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        y = torch.sigmoid(self.output(torch.tanh(self.decoder(z))))
        kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
        return functional.binary_cross_entropy(y, x, reduction="sum") + kl


class PlainLoop:
    """Minibatches of a training set, one optimiser step each."""

    def __init__(self, train: Tensor, n_latent: int, n_hidden: int, batch_size: int, step_size: float) -> None:
        self._train, self._batch_size = train, batch_size
        self.model = PlainVAE(n_latent, n_hidden, train.shape[1]).to(train.device)
        self._optimizer = torch.optim.Adagrad(self.model.parameters(), lr=step_size)

    def advance(self, n_steps: int) -> list[float]:
        """Take so many steps; the mean bound of each minibatch, nats."""
        losses = []
        for _ in range(n_steps):
            x = self._train[torch.randint(len(self._train), (self._batch_size,), device=self._train.device)]
            loss = self.model(x)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return (-torch.stack(losses) / self._batch_size).tolist()
