"""How far our curves lie from the paper's, all along: the root mean square of the difference over a range."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from harness.figures.compare import KEY, drawable, over_seeds, ranked, value_at, with_one_more

POINTS = 41  # evenly spaced on a log axis, where the figures' points would lie


def agreement(
    curves: pd.DataFrame,
    published: pd.DataFrame,
    since: Mapping[str, float],
    key: Sequence[str] = KEY,
    value: str = "lower_bound",
) -> pd.DataFrame:
    """The distance of each of our curves from the paper's, for each protocol, in nats.

    Differences are of the mean over the seeds that are there, at sample counts evenly spaced on a log axis, from where
    both curves have begun to where the paper's or the last of ours ends. Training bounds are running means since the
    point before, the paper's first ones over the warm-up too: they are compared from the paper's third point on.

    Args:
        curves: ours, with protocol and seed.
        published: the paper's.
        since: where the range begins, for each dataset; no row for others.
        key: columns that tell curves apart.
        value: column of the nats.

    Returns:
        Columns: protocol, the `key`, begin and end of the range (training samples), rms (of the mean's difference),
        standard_error (of the mean, root mean square along the range; NaN for one seed), difference_error (of the
        difference, the paper's one seed taken to vary as ours do), largest (difference, with its sign), largest_at,
        seed_rms (the root mean square of single seeds' distances), seeds (at half of the points or more).
    """
    paper = {name: curve for name, curve in drawable(published, value).groupby(list(key))}
    rows = []
    for (protocol, *name), group in drawable(curves, value).groupby(["protocol", *key]):
        theirs, dataset = paper.get(tuple(name)), str(name[0])
        if theirs is None or dataset not in since:
            continue
        runs = [run for _, run in group.groupby("seed")]
        begin = max(since[dataset], *(curve["samples"].min() for curve in (theirs, *runs)))
        if value == "lower_bound" and name[-1] == "train":
            begin = max(begin, theirs["samples"].nsmallest(3).iloc[-1])
        end = min(theirs["samples"].max(), max(run["samples"].max() for run in runs))
        if end <= begin:
            continue
        at = np.geomspace(begin, end, POINTS)
        ours = np.stack([value_at(run["samples"], run[value], at) for run in runs])
        off = ours - value_at(theirs["samples"], theirs[value], at)
        mean, spread, seeds = over_seeds(off)
        error, both = rms(spread / np.sqrt(seeds)), rms(with_one_more(spread, seeds))
        worst, each = int(np.abs(mean).argmax()), rms(off[np.isfinite(off)])
        several = int(np.median(seeds))
        rows.append((protocol, *name, begin, end, rms(mean), error, both, mean[worst], at[worst], each, several))
    errors = ["rms", "standard_error", "difference_error"]
    numbers = ["begin", "end", *errors, "largest", "largest_at", "seed_rms", "seeds"]
    table = pd.DataFrame(rows, columns=["protocol", *key, *numbers])
    return table.sort_values(["protocol", *key], key=ranked, ignore_index=True)


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))
