"""What better estimates say of figure 3's models: how biased appendix D's are, and which model is better."""

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.figures.compare import label, scientific
from harness.store.checksums import Damaged
from harness.store.columns import format_table, paragraph
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.tables import read_checked_table

NEEDED = (  # columns that are shown or compared; `worst` is younger
    *("split", "samples", "estimator", "datapoints", "marginal_log_likelihood", "bias", "bias_standard_error"),
    *("largest_deficit", "without_estimate", "untrusted"),
)
BIAS_HEADING = (
    "appendix D minus a better estimate, nats, of the last model of each run that has one, at {at} samples; its curve "
    "may go farther. worst: the datapoint farthest off, in older results farthest below (a chain in a wrong mode shows "
    "nowhere else); rest: the mean without it; untrusted: better estimates that do not count as trusted, of how many "
    "datapoints"
)


def collect_estimates(folders: Iterable[RunFolder], key: Sequence[str]) -> pd.DataFrame:
    """All better estimates of these runs as one tidy table; empty where nobody asked for any."""
    tables = []
    for folder in folders:
        config = folder.config
        names = {column: getattr(config, column) for column in ("protocol", *key)} | {"seed": config.seed}
        for samples in folder.estimated_samples():
            try:
                table = read_checked_table(folder.estimates(samples))
                if absent := sorted({*NEEDED} - {*table.columns}):
                    raise Damaged(f"{folder.estimates(samples)}: no column {', '.join(absent)}")
            except FileNotFoundError:
                continue
            except Damaged as error:
                tell_once(f"left out: {error}; the same command with --re-estimate computes it anew")
                continue
            tables.append(table.assign(**names)[[*names, *table.columns]])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["protocol"])


def format_bias(estimates: pd.DataFrame, key: Sequence[str]) -> str:
    """How far appendix D lies from the better estimates of the last model of each run that has them, nats.

    A chain in a wrong mode leaves its datapoint tens of nats low, and the mean and its normal standard error with it.
    """
    rows, curves = [], estimates.groupby([*key, "seed", "split"], sort=False)
    first, *farther = sorted({*curves["samples"].max()})
    at = scientific(first) + (f" to {scientific(farther[-1])}" if farther else "")
    for name, curve in curves:
        *names, seed, split = (label(str(part)) for part in name)
        for _, row in curve[curve["samples"] == curve["samples"].max()].iterrows():
            n, mean, worst = row["datapoints"], row["bias"], row.get("worst", -row["largest_deficit"])
            rows.append(
                {
                    "curve": f"{' '.join(names)} seed {seed} {split}",
                    "better": row["estimator"],
                    "mean": f"{mean:+.2f}",
                    "s.e.": f"{row['bias_standard_error']:.2f}",
                    "worst": f"{worst:+.1f}",
                    "rest": f"{(n * mean - worst) / (n - 1):+.2f}" if n > 1 else "–",
                    "untrusted": f"{row['untrusted']}/{n + row['without_estimate']}",
                }
            )
    return f"{paragraph(BIAS_HEADING.format(at=at), 80)}\n{format_table(pd.DataFrame(rows), 80)}"
