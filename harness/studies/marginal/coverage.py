"""Do the estimators' errors and flags mean what they say? Against log p(x) that is known, point by point.

`python -m harness.studies.marginal.coverage docs/estimators.md` measures it, in about ten minutes, and writes the page.
"""

import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from aevb.data import load_dataset
from aevb.densities import standard_normal_log_density
from aevb.encoder import GaussianEncoder
from aevb.linear_gaussian import exact_log_marginal
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import PosteriorFit, appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.contradiction import log_likelihood_of_pairs
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.trained import load_published
from harness.runs.streams import stream
from harness.store.files import write_text

FITS: tuple[PosteriorFit, ...] = ("shrunk_kde", "full", "diagonal", "kde", "scott_kde")
MOST_ERRORS, NAT = 5.0, 1.0
END = 6.0  # of the grid, in standard deviations of the prior


@dataclass(frozen=True)
class Problem:
    """A model, points whose log p(x) is known, and the latents behind them where they are simulated."""

    name: str
    model: GenerativeModel
    x: Tensor
    z: Tensor | None
    truth: Tensor
    encoder: GaussianEncoder | None = None


def linear_gaussian_problem(n_latent: int, points: int) -> Problem:
    """x = W z + b + noise, W random, with 4 pixels more than twice the latents: posteriors have correlations."""
    noise = stream("coverage model")
    n_pixels = 2 * n_latent + 4
    model = GaussianModel(n_latent, n_pixels, (), log_var="constant", squash_mean=False, init_std=0.0).double()
    with torch.no_grad():
        model.output.weight.copy_(torch.randn(n_pixels, n_latent, generator=noise))
        model.output.bias.copy_(torch.randn(n_pixels, generator=noise))
        model.log_var.bias.copy_(-1.5 * torch.rand(n_pixels, generator=noise))
    x, z = simulate(model, points, noise)
    truth = exact_log_marginal(model, x).detach()
    return Problem(f"linear-Gaussian, {n_latent} latents", model, x, z, truth)


def digits_problem(points: int, spacing: float = 0.03) -> Problem:
    """The trained model of MNIST with two latents, and its first test images; log p(x) is a sum over a dense grid."""
    model, encoder, _ = load_published("mnist", 2)
    assert isinstance(model, BernoulliModel)
    x = load_dataset("mnist").test[:points]
    return Problem("MNIST, 2 latents", model, x, None, grid_log_likelihood(model, x, spacing), encoder)


def grid_log_likelihood(model: BernoulliModel, x: Tensor, spacing: float) -> Tensor:
    """Log Σ p(z) p(x|z) Δ² over a square grid: for smooth densities its error falls faster than any power of Δ."""
    axis = torch.arange(-END, END + spacing / 2, spacing, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = torch.full((len(x),), -torch.inf, dtype=torch.float64)
    with torch.no_grad():
        for z in grid.split(20_000):
            log_joint = log_likelihood_of_pairs(model, x, z.to(x)) + standard_normal_log_density(z)[:, None]
            total = torch.logaddexp(total, log_joint.logsumexp(0))
    return total + 2 * math.log(spacing)


def estimates(
    problem: Problem, *, annealed_points: int, temperatures: int = 300
) -> Iterator[tuple[str, MarginalEstimate]]:
    """Every estimator as it comes, and appendix D with each of its densities; AIS on the first points alone."""
    model, x, noise = problem.model, problem.x, stream("coverage")
    if problem.encoder is not None:
        with torch.no_grad():
            yield "importance, encoder", importance_log_likelihood(model, x, problem.encoder(x), noise)
    proposal, settled = posterior_gaussian(model, x, start_chains(model, x, noise), noise)
    yield "importance, chain's Gaussian", importance_log_likelihood(model, x, proposal, noise)
    for fit in FITS:
        jitter = 0.5 if fit in ("shrunk_kde", "full", "diagonal") else 0.0
        name = f"appendix D, {fit}" + ("" if jitter else ", no jitter")
        yield name, appendix_d_log_likelihood(model, x, settled, noise, fit=fit, jitter=jitter)[0]
    yield from annealed(problem, annealed_points, temperatures, stream("coverage by annealing"))


def annealed(
    problem: Problem, points: int, temperatures: int, noise: torch.Generator
) -> Iterator[tuple[str, MarginalEstimate]]:
    """AIS on the first points, upwards, and downwards where their latents are known."""
    x, annealing = problem.x[:points], Annealing(sigmoidal_schedule(temperatures))
    yield "AIS, lower bound", ais_log_likelihood(problem.model, x, noise, annealing)
    if problem.z is not None:
        yield "AIS, upper bound", reverse_ais_log_likelihood(problem.model, x, problem.z[:points], noise, annealing)


def row(problem: Problem, name: str, estimate: MarginalEstimate) -> Mapping[str, str | float]:
    """How often a trusted estimate is wrong, and how often its error covers the truth."""
    trusted = estimate.trusted
    off = (estimate.log_likelihood - problem.truth[: len(trusted)])[trusted]
    errors = (off / estimate.standard_error[trusted]).abs()

    def share(holds: Tensor) -> float:
        return float(holds.double().mean()) if len(holds) else math.nan

    return {
        "model": problem.name,
        "estimator": name,
        "points": len(trusted),
        "trusted": share(trusted),
        "off_by_a_nat": share(off.abs() > NAT),
        "wrong_points": float((off.abs() > NAT).sum()) / len(trusted),
        "off_by_5_errors": share(errors > MOST_ERRORS),
        "within_2_errors": share(errors < 2),
        "bias": float(off.mean()),
        "mean_error": float(estimate.standard_error[trusted].mean()),
    }


def measure(problem: Problem, *, annealed_points: int, temperatures: int = 300) -> pd.DataFrame:
    """A row for each estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # the column `trusted` says it
        found = estimates(problem, annealed_points=annealed_points, temperatures=temperatures)
        return pd.DataFrame([row(problem, name, estimate) for name, estimate in found])


PAGE = """\
# How far to believe the estimators of log p(x)

Measured, not typed: `python -m harness.studies.marginal.coverage docs/estimators.md` writes this page. Every estimator
as it comes (K = 1,000; appendix D with 50 samples; AIS with 300 temperatures and 16 chains, on MNIST 1,000) on models
whose log p(x) is known: linear-Gaussian ones in closed form, a trained model of MNIST with two latents by a sum over a
dense grid. There posteriors are sharp and some have several modes; a chain may sit in one of little mass. Draws from
the prior show that up (`aevb.marginal.contradiction`): in two dimensions some of them come near every mode. In ten or
twenty they do not, and a mode that no chain has found goes unseen, unless another proposal knows it.

- trusted: share of the points whose estimate says of itself that it can be trusted;
- off by 1 nat, by 5 s.e.: share of the trusted that are farther from the truth than that;
- wrong: points that are trusted and off by more than 1 nat, as a share of all points;
- within 2 s.e.: share of the trusted that are no farther from the truth than twice their standard error; 0.95 if errors
  were normal and known;
- bias: estimate minus truth; s.e.: the standard error that the estimate gives itself. Both are means over the trusted,
  in nats.

"""
COLUMNS = {
    "off_by_a_nat": "off by 1 nat", "off_by_5_errors": "off by 5 s.e.", "wrong_points": "wrong",
    "within_2_errors": "within 2 s.e.", "mean_error": "s.e.",
}  # fmt: skip


def format_page(table: pd.DataFrame) -> str:
    """The page, a table for each model."""
    sections = []
    for model, part in table.groupby("model", sort=False):
        shown = part.drop(columns="model").rename(columns=COLUMNS)
        lines = ["| " + " | ".join(shown.columns) + " |", "|---" + "|--:" * (len(shown.columns) - 1) + "|"]
        for values in shown.itertuples(index=False):
            lines.append("| " + " | ".join(map(_cell, values)) + " |")
        sections.append(f"## {model}\n\n" + "\n".join(lines))
    return PAGE + "\n\n".join(sections) + "\n"


def _cell(value: str | float) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return str(value)


def main(path: Path) -> None:
    """Measure everything and write the page."""
    tables = [measure(linear_gaussian_problem(n, 1000), annealed_points=300) for n in (2, 10, 20)]
    tables.append(measure(digits_problem(400), annealed_points=60, temperatures=1000))
    write_text(path, format_page(pd.concat(tables, ignore_index=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
