"""The study of trained models for print."""

import pandas as pd

from harness.figures.compare import HEADINGS, label, scientific
from harness.store.columns import fold, format_table

CURVE = ("dataset", "n_latent", "method", "seed")  # columns that tell runs apart


def format_models(table: pd.DataFrame) -> str:
    """A row for each model: the noise of its bound, and of its manifold the mean and the largest step over distance."""
    if table.empty:
        return "No model is kept yet."
    heads = (
        "noise: standard deviation of the mean test bound over draws of ε, L = 1, nats",
        "step, largest: mean and largest change to a neighbour on figure 4's grid, as a share of the mean distance "
        "between two of its images, root mean square over pixels",
    )
    return "\n".join([*(fold(head) for head in heads), format_table(cells(table))])


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model, as text."""
    return pd.DataFrame(
        {
            "dataset": table["dataset"].map(label),
            HEADINGS["n_latent"]: table["n_latent"],
            "method": table["method"].map(label),
            "seed": table["seed"],
            "samples": table["samples"].map(scientific),
            "noise": [
                f"{noise:.3f} ± {error:.1g}" for noise, error in table[["noise", "noise_error"]].to_numpy(dtype=float)
            ],
            "step": (table["step"] / table["apart"]).map(_share),
            "largest": (table["largest"] / table["apart"]).map(_share),
        }
    )


def _share(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"
