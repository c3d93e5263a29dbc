"""Small models, datapoints and chains that public functions take, for tests that spoil one of them."""

import torch

from aevb import hmc, tuning
from aevb.encoder import GaussianEncoder
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.model import BernoulliModel, GaussianModel

N, PIXELS, LATENT = 4, 6, 2
G = torch.Generator().manual_seed(0)
X = torch.rand(N, PIXELS, generator=G)
Z = torch.randn(N, LATENT, generator=G)
EPS = torch.randn(3, N, LATENT, generator=G)
MODEL = BernoulliModel(LATENT, PIXELS, (5,), init_std=0.1, generator=G)
GAUSSIAN = GaussianModel(LATENT, PIXELS, (5,), init_std=0.1, generator=G)
LINEAR = GaussianModel(LATENT, PIXELS, (), log_var="constant", squash_mean=False, generator=G)
ENCODER = GaussianEncoder(PIXELS, LATENT, (5,), init_std=0.1, generator=G)
CHAINS = tuning.Chains(Z, torch.tensor(0.1), torch.tensor(0))
STATE = hmc.evaluate(lambda z: -z.square().sum(-1), Z)
SHORT = Annealing(sigmoidal_schedule(3), 2, 1, n_tuning_chains=1)
INDICES = torch.arange(N)


def with_value(value):
    x = X.clone()
    x[1, 2] = value
    return x
