"""The reparameterization study as tables, and what it says of the paper's claims."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from harness.store.columns import paragraph
from harness.studies.estimate import Estimate, difference, mean
from harness.studies.verdict import above, every, holds

NAIVE, BASELINE = "score function", "score function, baseline"
A, B = "reparameterization A", "reparameterization B"
ESTIMATORS = (NAIVE, BASELINE, A, B)
PAPER_BATCH, PAPER_SAMPLES = 100, 1  # the paper's M and L
VERY_HIGH = 10.0  # times estimator B's variance
LARGE = 1e6  # ratios from here on are printed as powers of ten
CURVE = ("estimator", "batch_size", "n_samples", "step_size", "seed")  # columns that tell learning curves apart
NATS = 1.0  # a difference in the bound that matters, as the paper's noise limit


def format_study(variance: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Variances with standard errors, their check by simulation, the bounds reached, and a verdict on each claim."""
    stages = [_stage(part, int(str(stage))) for stage, part in variance.groupby("stage")]
    return "\n\n".join(
        [*stages, paragraph(_check(variance)), _bounds(curves), *map(paragraph, verdicts(variance, curves))]
    )


def equally_many(curves: pd.DataFrame) -> pd.DataFrame:
    """The curves of those seeds that every kind of curve has: lowest and highest of more seeds lie farther apart."""
    of_kinds = curves.groupby([*CURVE[:-1]])["seed"].agg(set)
    return curves[curves["seed"].isin(set.intersection(*of_kinds))]


def best_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """The paper's M and L: for each estimator the step size with the best last training bound, mean over seeds."""
    curves = equally_many(curves)
    paper = curves[(curves["batch_size"] == PAPER_BATCH) & (curves["n_samples"] == PAPER_SAMPLES)]
    # A curve that ended early has diverged, and its last bound is not finite.
    last = paper.groupby(["estimator", "step_size", "seed"]).tail(1)
    score = last.groupby(["estimator", "step_size"])["train"].agg(lambda bounds: bounds.mean(skipna=False))
    best = score[np.isfinite(score)].groupby("estimator").idxmax()
    return pd.concat([paper[(paper["estimator"] == name) & (paper["step_size"] == eta)] for name, eta in best])


def shared_step_size(curves: pd.DataFrame) -> pd.DataFrame:
    """Estimator B's curves with the step size that every (M, L) has, of all seeds."""
    rows = curves[curves["estimator"] == B]
    return rows[rows["step_size"] == rows.loc[rows["batch_size"] != PAPER_BATCH, "step_size"].iloc[0]]


def reached(curves: pd.DataFrame) -> pd.DataFrame:
    """Test bound at the last point, nats: mean over seeds, lowest and highest, for each kind of curve.

    All three are NaN where a seed diverged.
    """
    kinds = curves.groupby([*CURVE]).tail(1).groupby([*CURVE[:-1]])
    table = kinds.agg(
        test=("test", "mean"), low=("test", "min"), high=("test", "max"), evaluations=("evaluations", "max")
    )
    whole = kinds["test"].agg(lambda bounds: np.isfinite(bounds).all()).astype(bool)
    return table.assign(**table[["test", "low", "high"]].where(whole)).reset_index()


def at(variance: pd.DataFrame, estimator: str, n_samples: int, batch_size: int) -> pd.DataFrame:
    """Rows of all stages, by stage."""
    rows = variance[(variance["n_samples"] == n_samples) & (variance["batch_size"] == batch_size)]
    return rows[rows["estimator"] == estimator].set_index("stage").sort_index()


def value(rows: pd.DataFrame, estimator: str, column: str) -> float:
    """That column of the estimator's first row."""
    return float(rows.loc[rows["estimator"] == estimator, column].iloc[0])


def verdicts(variance: pd.DataFrame, curves: pd.DataFrame) -> list[str]:
    """A sentence with numbers on each of the paper's statements, and whether it holds."""
    return [
        naive_verdict(variance, curves),
        baseline_verdict(variance, curves),
        a_and_b_verdict(variance),
        few_samples_verdict(variance, curves),
    ]


def naive_verdict(variance: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Section 2.2: holds if the variance is 10 times B's at every stage, and learning ends 1 nat lower."""
    naive, ours = (at(variance, name, PAPER_SAMPLES, PAPER_BATCH) for name in (NAIVE, B))
    behind = lag(curves, NAIVE)
    claim = every([*_ratios_above(naive, VERY_HIGH), behind.above(NATS)])
    return (
        "Claim (section 2.2): the naive estimator of the gradient exhibits very high variance and is impractical. Its "
        f"variance over that of estimator B, M = {PAPER_BATCH}, L = {PAPER_SAMPLES}: {_ratios(naive)}. Over the "
        f"squared gradient itself: {_noise_to_signal(naive)}; B's: {_noise_to_signal(ours)}. At equal compute its test "
        f"bound ends {_nats(behind)} than B's. The claim {holds(claim)}."
    )


def baseline_verdict(variance: pd.DataFrame, curves: pd.DataFrame) -> str:
    """What the paper leaves out: how much of it a baseline mends."""
    one, ten = (at(variance, BASELINE, n_samples, PAPER_BATCH) for n_samples in (1, 10))
    return (
        f"With a baseline the variance over that of estimator B is, with a constant and L = 1: {_ratios(one)}; with "
        f"the mean of the datapoint's other draws and L = 10: {_ratios(ten)}. At equal compute, M = {PAPER_BATCH}, "
        f"L = 1, its test bound ends {_nats(lag(curves, BASELINE))} than B's."
    )


def a_and_b_verdict(variance: pd.DataFrame) -> str:
    """Section 2.3: holds if A's variance is above B's at every stage, in part if it is at one and below at another."""
    rows = at(variance, A, PAPER_SAMPLES, PAPER_BATCH)
    higher = _ratios_above(rows, 1)
    says = "holds in part" if True in higher and False in higher else holds(every(higher))
    return (
        "Claim (section 2.3): estimator B typically has less variance than A. Variance of A over that of B, "
        f"M = {PAPER_BATCH}, L = {PAPER_SAMPLES}: {_ratios(rows)}. The claim {says}."
    )


def few_samples_verdict(variance: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Section 2.3: holds if with M = 100 ten samples for each datapoint gain less than 1 nat over one."""
    one, ten = (at(variance, B, n_samples, PAPER_BATCH)[["variance", "standard_error"]] for n_samples in (1, 10))
    gained = ", ".join(f"{_quotient(one.loc[stage], ten.loc[stage])} {_after(stage)}" for stage in one.index)
    large, small = (gain(curves, batch_size) for batch_size in (PAPER_BATCH, 10))
    shared = shared_step_size(curves)
    visited, eta = int(shared["samples"].max()), float(shared["step_size"].iloc[0])
    return (
        "Claim (section 2.3): L = 1 suffices as long as M is large enough, e.g. M = 100. Ten times the samples for "
        f"each datapoint divide B's variance by {gained}; ten times the datapoints, at the same cost, by 10. After "
        f"{visited:,} datapoints, at ten times the cost and both with η = {eta:g}, the test bound with L = 10 ends "
        f"{_signed(large)} nats from that with L = 1 where M = {PAPER_BATCH} ({_of(large)}), "
        f"{_signed(small)} where M = 10 ({_of(small)}), ± the standard error. With {NATS:g} nat as the limit "
        f"the claim {holds(large.below(NATS))}."
    )


def _stage(rows: pd.DataFrame, samples: int) -> str:
    """One stage at the paper's M."""
    rows = rows[(rows["batch_size"] == PAPER_BATCH) & rows["n_samples"].isin((1, 10, 100))]
    columns = ["variance", "standard_error"]
    cells = rows.assign(cell=[f"{found:.3g} ± {error:.1g}" for found, error in rows[columns].to_numpy()])
    wide = cells.pivot_table(index="estimator", columns="n_samples", values="cell", aggfunc="first", sort=False)
    wide = wide.rename_axis(index=None).set_axis([f"L = {size}" for size in wide.columns], axis=1)
    signal, error = (value(rows, B, column) for column in ("signal", "signal_error"))
    title = paragraph(
        f"variance of the gradient with respect to φ for a coordinate, M = {PAPER_BATCH}, ± standard error; "
        f"{_after(samples)}"
    )
    return f"{title}\nthe squared gradient itself: {signal:.3g} ± {error:.1g}\n{wide.to_string()}"


def _check(variance: pd.DataFrame) -> str:
    """How far the variances are from simulated ones, in standard errors of the difference."""
    rows = variance.dropna(subset="simulated")
    found, exact, *errors = rows[["simulated", "variance", "simulated_error", "standard_error"]].to_numpy().T
    off = np.abs(found - exact) / np.hypot(*errors)
    return (
        f"check by direct simulation of minibatches: {len(off)} variances, {np.sum(off < 2)} within 2 standard errors, "
        f"the furthest {off.max():.1f} away"
    )


def _bounds(curves: pd.DataFrame) -> str:
    curves = equally_many(curves)
    further = curves[(curves["batch_size"] != PAPER_BATCH) | (curves["n_samples"] != PAPER_SAMPLES)]
    table = reached(pd.concat([best_curves(curves), further]))
    cells = [
        f"{test:.1f} ({low:.1f} to {high:.1f})" if math.isfinite(test) else "a seed diverged"
        for test, low, high in table[["test", "low", "high"]].to_numpy()
    ]
    shown = table.assign(test=cells, evaluations=[f"{n:,}" for n in table["evaluations"]])
    shown = shown.drop(columns=["low", "high"]).rename(columns={"batch_size": "M", "n_samples": "L"})
    title = paragraph(
        f"test bound reached, nats, mean (lowest to highest) of {_seeds(curves['seed'].nunique())}; with "
        f"M = {PAPER_BATCH}, L = {PAPER_SAMPLES} each estimator has its best step size"
    )
    return f"{title}\n{shown.to_string(index=False)}"


def lag(curves: pd.DataFrame, estimator: str) -> Estimate:
    """How far the test bound ends below B's, each with its best step size; infinite if every run diverged."""
    best = best_curves(curves)
    ours, theirs = (ends(best[best["estimator"] == name]) for name in (B, estimator))
    if not np.isfinite(theirs).any():
        return Estimate(math.inf, math.nan, math.nan, len(ours))
    return difference(ours, theirs)


def gain(curves: pd.DataFrame, batch_size: int) -> Estimate:
    """How far estimator B's last test bound with L = 10 is above that with L = 1, seed by seed."""
    rows = shared_step_size(curves)
    rows = rows[rows["batch_size"] == batch_size]
    ten, one = (ends(rows[rows["n_samples"] == n]) for n in (10, 1))
    return mean((ten - one)[ten.index.intersection(one.index)])


def ends(curves: pd.DataFrame) -> pd.Series:
    """The test bound of each seed at its last point, nats; NaN where it diverged."""
    return curves.groupby("seed").tail(1).set_index("seed")["test"]


def _ratios_above(rows: pd.DataFrame, limit: float) -> list[bool | None]:
    return [above(ratio, error, limit) for ratio, error in rows[["ratio_to_b", "ratio_error"]].to_numpy()]


def _of(found: Estimate) -> str:
    """Its seeds, and how many diverged."""
    return ", ".join(filter(None, [_seeds(found.seeds), found.lost]))


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count > 1)}"


def _signed(found: Estimate) -> str:
    return f"{found.value:+.1f}{_error(found)}"


def _error(found: Estimate) -> str:
    return "" if math.isnan(found.standard_error) else f" ± {found.standard_error:.1f}"


def _ratios(rows: pd.DataFrame) -> str:
    numbers = [_number(ratio, error) for ratio, error in rows[["ratio_to_b", "ratio_error"]].to_numpy()]
    return ", ".join(f"{number} {_after(stage)}" for number, stage in zip(numbers, rows.index, strict=True))


def _number(ratio: float, error: float) -> str:
    return f"{ratio:.1e} ± {error:.0e}" if ratio >= LARGE else with_error(ratio, error)


def with_error(ratio: float, error: float) -> str:
    """A ratio that is not `LARGE`; its error has one digit, or all of those before the point."""
    decimals = min(max(-math.floor(math.log10(error)), 0), 4) if error > 0 else 3
    return f"{ratio:,.{decimals}f} ± {error:,.{decimals}f}"


def _noise_to_signal(rows: pd.DataFrame) -> str:
    """Variance over the squared gradient, where that is known to two standard errors."""
    columns = ["variance", "standard_error", "signal", "signal_error"]
    numbers = [
        _quotient((variance, error), (signal, signal_error)) if signal > 2 * signal_error else "unknown"
        for variance, error, signal, signal_error in rows[columns].to_numpy()
    ]
    return ", ".join(f"{number} {_after(stage)}" for number, stage in zip(numbers, rows.index, strict=True))


def _quotient(one: Iterable[float], other: Iterable[float]) -> str:
    """Of two numbers, each with its standard error, as if the errors were independent."""
    (top, top_error), (bottom, bottom_error) = one, other
    return _number(top / bottom, top / bottom * math.hypot(top_error / top, bottom_error / bottom))


def _after(samples: int) -> str:
    return f"after {samples:,} samples" if samples else "at the start"


def _nats(lag: Estimate) -> str:
    told = f" ({lag.lost})" if lag.lost else ""
    return f"{abs(lag.value):.1f}{_error(lag)} nats {'lower' if lag.value > 0 else 'higher'}{told}"
