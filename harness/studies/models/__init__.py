"""What trained models tell: the noise of the bound that figure 2 shows, and how smooth figure 4's manifolds are."""
