"""The study of gaps as a table, and what it says of each curve."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from harness.figures.compare import label, ranked, scientific
from harness.store.columns import format_sections, paragraph
from harness.studies.estimate import Estimate, mean
from harness.studies.verdict import above

ACTIVE_VARIANCE = 0.01  # of a latent's mean over the datapoints (Burda, Grosse & Salakhutdinov 2016, section 5.2)
CURVE = ["dataset", "n_latent", "method"]
QUANTITIES = ("log_p", "best", "bound", "approximation", "amortization", "kl")
HEAD = (
    "nats, mean over datapoints ± s.e. log p(x); minus the approximation gap, the bound with each datapoint's own best "
    "Gaussian; minus the amortization gap, the bound with q(z|x). Active: latents whose mean varies with x."
)


def latest(table: pd.DataFrame) -> pd.DataFrame:
    """Of each curve the models with the most samples that all its seeds have; mean over seeds.

    Columns: those of the curve, samples, split, seeds, then each of `QUANTITIES` with its standard error (over seeds;
    of one seed that over datapoints) and the same widened for few seeds, and active.
    """
    rows = []
    for name, curve in table.groupby(CURVE):
        reached = curve.groupby("samples")["seed"].nunique()
        last = curve[curve["samples"] == max(reached[reached == reached.max()].index)]
        for split, part in last.groupby("split"):
            row = {**dict(zip(CURVE, name, strict=True)), "samples": part["samples"].iloc[0], "split": split}
            row |= {"seeds": len(part), "active": part["active"].mean()}
            for quantity in QUANTITIES:
                over, own = mean(part[quantity]), float(part[f"{quantity}_error"].iloc[0])
                errors = (own, own) if over.seeds == 1 else (over.standard_error, over.error)
                row |= {quantity: over.value}
                row |= dict(zip((f"{quantity}_error", f"{quantity}_widened"), errors, strict=True))
            rows.append(row)
    return pd.DataFrame(rows).sort_values([*CURVE, "split"], key=ranked, ignore_index=True)


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """What `latest` gives, and AEVB's models at the counts of samples where other methods of its panel end.

    Where these go less far than AEVB, its last models are not to be compared with theirs.
    """
    rows = latest(table)
    others = rows[rows["method"] != "aevb"][["dataset", "n_latent", "samples"]].drop_duplicates()
    at_these = table[table["method"] == "aevb"].merge(others).groupby(["dataset", "n_latent", "samples"])
    both = pd.concat([rows, *(latest(part) for _, part in at_these)]).drop_duplicates([*CURVE, "samples", "split"])
    return both.sort_values([*CURVE, "samples", "split"], key=ranked, ignore_index=True)


def format_gaps(table: pd.DataFrame, points: pd.DataFrame | None = None) -> str:
    """The last models of each curve, and what the study says of them."""
    rows = latest(table)
    shown = cells(rows)
    sentences = [*check(table), *lags(table, points), *overfitting(rows)]
    return "\n".join(
        [paragraph(HEAD), format_sections(shown.pop("curve").tolist(), shown, ["split"]), *map(paragraph, sentences)]
    )


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """What `latest` gives as text cells."""
    return pd.DataFrame(
        {
            "curve": [_curve(row) for row in rows.to_dict("records")],
            "samples": [scientific(n) for n in rows["samples"]],
            "split": rows["split"],
            "log p(x)": [_pm(*pair) for pair in rows[["log_p", "log_p_error"]].to_numpy()],
            "approx.": [_pm(*pair) for pair in rows[["approximation", "approximation_error"]].to_numpy()],
            "amort.": [_pm(*pair) for pair in rows[["amortization", "amortization_error"]].to_numpy()],
            "bound": [_pm(*pair) for pair in rows[["bound", "bound_error"]].to_numpy()],
            "KL": [_pm(value, math.nan) for value in rows["kl"]],
            "active": [f"{active:.4g}/{size}" for active, size in zip(rows["active"], rows["n_latent"], strict=True)],
        }
    )


def check(table: pd.DataFrame) -> list[str]:
    """How far AIS and importance sampling are apart, and how many datapoints were left out."""
    off = table["ais_minus_log_p"] / table["ais_minus_log_p_error"]
    worst = table.iloc[int(np.nanargmax(off.abs()))] if off.notna().any() else None
    left = int(table["untrusted"].sum())
    of = left + int(table["datapoints"].sum())
    text = f"log p(x) is by importance sampling; {left} of {of} estimates are not trusted and left out."
    if worst is not None:
        text += (
            f" AIS differs from it by {table['ais_minus_log_p'].median():+.2f} nats in the median, at most by "
            f"{_pm(worst['ais_minus_log_p'], worst['ais_minus_log_p_error'])} ({_curve(worst)}, {worst['split']})."
        )
    return [text]


def lags(table: pd.DataFrame, points: pd.DataFrame | None = None) -> list[str]:
    """Which term the difference of another method's test bound from AEVB's lies in, at the last samples of both.

    With each datapoint's nats it is that of one and the same image, of those whose log p(x) is known for both; its
    error is over the seeds, or of one seed over the images. Without, it is that of the means over images.
    """
    sentences = []
    for (dataset, size), panel in table[table["split"] == "test"].groupby(["dataset", "n_latent"]):
        of_aevb = panel[panel["method"] == "aevb"]
        for method in panel["method"].drop_duplicates().sort_values(key=ranked):
            other = panel[panel["method"] == method]
            both = {*other["samples"]} & {*of_aevb["samples"]}
            if method == "aevb" or not both:
                continue
            pair = [part[part["samples"] == max(both)] for part in (other, of_aevb)]
            if points is None:
                mine, ours = (latest(part).iloc[0] for part in pair)
                of: Callable[[str], Estimate] = partial(_apart, mine, ours)
            else:
                of = _paired(*(points.merge(part[[*CURVE, "seed", "samples", "split"]]) for part in pair)).__getitem__
            if math.isnan(of("bound").value):  # no estimate of log p(x) is trusted
                continue
            sentences.append(
                f"{label(str(dataset))}, N_z = {size}, at {scientific(max(both))} samples: "
                f"{label(str(method), 24)}'s bound minus AEVB's is {_difference(of)}"
                f"{'; errors as of unlike images' if points is None else ''}."
            )
    return sentences


def _paired(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Estimate]:
    """Seed by seed and datapoint by datapoint."""
    mine, ours = (part.set_index(["seed", "point"])[["log_p", "best", "bound"]] for part in (one, other))
    apart = _with_gaps((mine - ours).dropna())
    of_seeds = apart.groupby("seed").mean()
    return {str(name): mean(of_seeds[name] if len(of_seeds) > 1 else apart[name]) for name in apart}


def _with_gaps(points: pd.DataFrame) -> pd.DataFrame:
    return points.assign(approximation=points["log_p"] - points["best"], amortization=points["best"] - points["bound"])


def overfitting(rows: pd.DataFrame) -> list[str]:
    """Of each curve whose train bound is above its test bound, by the rule of all verdicts, which term that lies in."""
    sentences = []
    for _, pair in rows.groupby(CURVE, sort=False):
        of_split = {str(row["split"]): row for _, row in pair.iterrows()}
        if {*of_split} == {"train", "test"}:
            train, test = of_split["train"], of_split["test"]
            error = float(np.hypot(train["bound_widened"], test["bound_widened"]))
            if above(float(train["bound"] - test["bound"]), error, 0.0):
                apart = _difference(partial(_apart, train, test))
                sentences.append(f"{_curve(pair.iloc[0])}: train minus test is {apart}.")
    return sentences


def _difference(of: Callable[[str], Estimate]) -> str:
    """Of two bounds, as a sum: log p(x), the approximation gap, the amortization gap."""

    def part(quantity: str, sign: int = 1) -> str:
        found = of(quantity)
        return _pm(sign * found.value, found.standard_error, plus=True)

    return (
        f"{part('bound')} nats: {part('log_p')} in log p(x), {part('approximation', -1)} by the approximation gap, "
        f"{part('amortization', -1)} by the amortization gap"
    )


def _apart(one: pd.Series, other: pd.Series, quantity: str) -> Estimate:
    """Of two rows of `latest`."""
    error = float(np.hypot(one[f"{quantity}_error"], other[f"{quantity}_error"]))
    return Estimate(float(one[quantity] - other[quantity]), error, math.inf, int(other["seeds"]))


def _curve(row: "pd.Series | Mapping[Any, Any]") -> str:
    return f"{label(str(row['dataset']))} {label(str(row['method']), 24)}, N_z = {row['n_latent']}"


def _pm(mean: float, error: float, *, plus: bool = False) -> str:
    if math.isnan(mean):
        return "–"
    value = f"{mean:+.1f}" if plus else f"{mean:.1f}"
    return value if math.isnan(error) else f"{value} ± {error:.1f}"
