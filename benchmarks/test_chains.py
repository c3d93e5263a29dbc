"""Hamiltonian Monte Carlo: moves of many chains, with the gradient by hand and from autograd."""

import pytest
import torch

from aevb import hmc, tuning
from aevb.densities import standard_normal_log_density
from aevb.fast.posterior import Posterior
from aevb.marginal.chains import start_chains
from benchmarks.conftest import Meter
from benchmarks.engines import Engine, make_config, run_data
from benchmarks.work import step_products
from harness.runs.streams import stream

N_LEAPFROG = 10


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("n_chains", [100, 1000])
def test_moves(n_chains: int, engine: str, device: str, meter: Meter) -> None:
    config = make_config(method="mcem", hidden=(100,), n_latent=3, n_train=n_chains, batch_size=0, weight_steps=1)
    model = Engine(config, "fast", device).learners[0].model
    x = run_data(device, n_chains).train
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)  # a posterior that is not the prior

    def by_autograd(z: torch.Tensor) -> torch.Tensor:
        return standard_normal_log_density(z) + model.log_likelihood(x, z)

    targets: dict[str, hmc.LogDensity] = {"reference": by_autograd, "fast": Posterior(model, x)}
    generator = stream("benchmark", device=device)
    chains, state = tuning.tune(
        targets["fast"], start_chains(model, x, generator, n_candidates=50), 30, N_LEAPFROG, generator
    )

    def move(name: str = engine) -> hmc.Move:
        """The same move at every call, so that the two targets can be compared."""
        return hmc.move(targets[name], state, chains.step_size, N_LEAPFROG, stream("moves", device=device))

    gradient = step_products(config, n_train=n_chains)[: 4 * (N_LEAPFROG + 1)]
    meter(
        move,
        samples=n_chains * N_LEAPFROG,
        products=gradient,
        suite="HMC",
        method="HMC",
        engine=engine,
        batch_size=n_chains,
        hidden=[100],
        n_latent=3,
        n_samples=1,
    )
    mine, theirs = move(), move("fast" if engine == "reference" else "reference")
    assert mine.state.z.isfinite().all()
    assert 0.6 < float(mine.accept_probability.mean()) < 0.99
    same = mine.accepted == theirs.accepted
    assert same.double().mean() > 0.98  # a test at the very edge may go either way
    torch.testing.assert_close(mine.state.z[same], theirs.state.z[same], rtol=1e-3, atol=1e-3)
