"""Benchmarks as tables: what was timed, and how long each method takes to a bound."""

from typing import Any

import numpy as np
import pandas as pd

from harness.figures.compare import first_at, label
from harness.store.columns import fold, format_table
from harness.timing import contest
from harness.timing.intervals import UNSTABLE

CASE = (
    "suite", "method", "engine", "device_type", "precision", "hidden", "n_latent", "batch_size", "n_samples"
)  # fmt: skip
HEADINGS = {
    "device_type": "device", "n_latent": "N_z", "batch_size": "M", "n_samples": "L, K",
    "samples_per_second": "samples/s", "gflops_per_second": "GFLOP/s", "flop_share_of_gemm_peak": "of GEMM",
    "megabytes": "MB a step", "half_width": "±",
}  # fmt: skip
# "This takes around 20-40 minutes per million training samples with a Intel Xeon CPU running at an effective 40
# GFLOPS" (Kingma & Welling 2013, section 5).
PAPER_SECONDS_PER_MILLION = (20 * 60.0, 40 * 60.0)
BY_HAND = ("by hand", "fast", "graph")
# What the sweeps vary one at a time.
SETTING = {"hidden": "500", "n_latent": 20, "batch_size": 100, "n_samples": 1}


# What a user would take instead, where it is not installed: how to have it measured.
OPTIONAL = {"JAX scan": "JAX is not installed: pip install -c constraints.txt -e '.[test,jax]'"}


def tabulate(records: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each case; widths of layers as text, seconds for a million samples."""
    none = [*CASE, "seconds", "samples_per_second"]
    table = pd.DataFrame(records, columns=None if records else none).drop(columns="environment", errors="ignore")
    table["hidden"] = ["-".join(map(str, widths)) for widths in table["hidden"]]
    table["seconds_per_million"] = 1e6 / table["samples_per_second"]
    return table


def sweep(table: pd.DataFrame, varied: str) -> pd.DataFrame:
    """The hand-written float32 steps that differ from the usual setting in one thing at most, the fastest of each."""
    fixed = {name: value for name, value in SETTING.items() if name != varied}
    keep = table["engine"].isin(BY_HAND) & (table["precision"] == "float32")
    for name, value in fixed.items():
        keep &= table[name] == value
    part = table[keep].assign(**{varied: table.loc[keep, varied].astype(float)})
    return part.loc[part.groupby(["device", varied])["samples_per_second"].idxmax()].sort_values(varied)


def usual(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the usual setting; where multiplication is not in float32, `engine` says in what it is."""
    rows = table[(table[[*SETTING]] == [*SETTING.values()]).all(axis=1)]
    return rows.assign(engine=rows["engine"].where(rows["precision"] == "float32", rows["precision"]))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: text, a row for each case, and for each that was not to be had."""
    measured = {"flops_per_second", "bytes_touched", "flop_share_of_gemm_peak", "seconds_low", "seconds_high"}
    shown = table.reindex(columns=[*table.columns, *measured - {*table}])
    shown = pd.concat([shown, *_absent(shown)], ignore_index=True)
    shown = shown.assign(
        gflops_per_second=shown["flops_per_second"] / 1e9,
        megabytes=shown["bytes_touched"] / 1e6,
        half_width=(shown["seconds_high"] - shown["seconds_low"]) / 2 / shown["seconds"],
        batch_size=shown["batch_size"].astype(str).replace("0", "all"),
    )
    formats = {
        "samples_per_second": "{:,.0f}", "half_width": "{:.1%}", "gflops_per_second": "{:.1f}",
        "flop_share_of_gemm_peak": "{:.0%}", "megabytes": "{:.1f}",
    }  # fmt: skip
    columns = [*CASE, *formats]
    text = {
        HEADINGS.get(name, name): [
            "–" if pd.isna(value) else formats.get(name, "{}").format(value) for value in shown[name]
        ]
        for name in columns
    }
    unstable = [width > UNSTABLE for width in shown["half_width"]]
    text["±"] = [f"{width} !" if marked else width for width, marked in zip(text["±"], unstable, strict=True)]
    return pd.DataFrame(text)


def _absent(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows without numbers for what might have been measured beside plain PyTorch on a CPU, and was not."""
    devices = table["device"] if "device" in table else pd.Series("", table.index)
    rows = []
    for _, part in table.groupby(devices):
        beside = part[(part["engine"] == "plain PyTorch") & (part["device_type"] == "cpu")]
        absent = [name for name in OPTIONAL if len(beside) and name not in set(part["engine"])]
        rows += [beside[[*CASE]].assign(engine=f"{name}: not installed") for name in absent]
    return rows


def format_benchmarks(table: pd.DataFrame) -> str:
    """The table as it is printed, and what to know of it."""
    shown = readable(table)
    told = ["±: half of the 95 % interval of the median over rounds"]
    if shown["±"].str.endswith("!").any():
        told += [f"! unstable: more than {UNSTABLE:.0%}; measure again when the machine does less"]
    told += [f"{name}: {how}" for name, how in OPTIONAL.items() if shown["engine"].str.startswith(f"{name}:").any()]
    return "\n".join([format_table(shown), *map(fold, told)])


def sample_costs(table: pd.DataFrame, contests: pd.DataFrame) -> pd.DataFrame:
    """A sample's time over that of one of AEVB's, in the usual setting: devices are rows, methods are columns.

    Each learner with the fastest of its hand-written float32 steps; where a device's learners took turns, wake-sleep's
    is of these. Empty where AEVB was not timed.

    Args:
        table: of cases, each timed by itself.
        contests: what `read_contests` found.
    """
    rows = table[(table["suite"] == "learner") & table["engine"].isin(BY_HAND) & (table["precision"] == "float32")]
    pace = usual(rows).pivot_table(index="device", columns="method", values="samples_per_second", aggfunc="max")
    if "aevb" not in pace:
        return pd.DataFrame()
    costs = pace.rdiv(pace["aevb"], axis=0)
    for device, rows in contests.groupby("device"):
        if device in costs.index and (row := contest.cost(rows, "wake-sleep")) is not None:
            costs.loc[device, "wake_sleep"] = row["ratio"]
    return costs


def time_to_bound(curves: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """What each method of figure 2 needs until its test bound first is where all methods of the panel get to.

    That is the highest bound which all runs reach that are as long as two of each method, or one where there is one.
    Samples between logged points are those of `first_at`. Time is that of the benchmarks, for runs of figure 2
    share a machine; its unit is a sample of AEVB's, for each size of network has its own.

    Args:
        curves: the store's figure 2.
        costs: what `sample_costs` made.

    Returns:
        Columns device (that was timed), dataset, n_latent, method, target (nats), samples (mean over seeds),
        aevb_samples (AEVB's in the same time) and error (its standard error over seeds; NaN for one). Each device has a
        row for each method of the panels that it has timed all methods of. A panel of one method, where others have
        more, has none.
    """
    test = curves[(curves["split"] == "test") & np.isfinite(curves["lower_bound"])]
    rows = []
    for (dataset, size), panel in test.groupby(["dataset", "n_latent"], sort=False):
        target, reached = _reached(panel)
        if len(reached) == 1 < test["method"].nunique():
            continue
        for device, cost in costs.reindex(columns=[*reached]).dropna().iterrows():
            for method, samples in reached.items():
                times = np.array(samples) * cost[method]
                error = times.std(ddof=1) / np.sqrt(len(times)) if len(times) > 1 else np.nan
                rows.append([device, dataset, size, method, target, np.mean(samples), times.mean(), error])
    columns = ["device", "dataset", "n_latent", "method", "target", "samples", "aevb_samples", "error"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:4], ignore_index=True)


def _reached(panel: pd.DataFrame) -> tuple[float, dict[str, list[float]]]:
    """The highest bound that all runs get to, and after how many samples each method's seeds are first there."""
    ends = panel.groupby(["method", "seed"])["samples"].max()
    end = ends.groupby("method").apply(lambda seeds: seeds.nlargest(2).iloc[-1]).min()
    runs = {
        (str(method), seed): run.sort_values("samples") for (method, seed), run in panel.groupby(["method", "seed"])
    }
    runs = {key: run for key, run in runs.items() if run["samples"].iloc[-1] >= end}
    target = float(min(run.loc[run["samples"] <= end, "lower_bound"].max() for run in runs.values()))
    reached: dict[str, list[float]] = {}
    for (method, _), run in runs.items():
        reached.setdefault(method, []).append(first_at(run["samples"], run["lower_bound"], target))
    return target, reached


def side_by_side(times: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Method, device and rows of what is drawn side by side: AEVB once, whose samples are the unit on every device."""
    found = []
    for method, rows in sorted(times.groupby("method"), key=lambda part: (part[0] != "aevb", part[0])):
        if method == "aevb":
            found.append(("aevb", "", rows.drop_duplicates(["dataset", "n_latent"])))
        else:
            found += [(str(method), str(device), of_device) for device, of_device in rows.groupby("device")]
    return found


def format_times(times: pd.DataFrame) -> str:
    """Millions of AEVB's samples in the time to the bound, a table of panels for each device."""
    shown = times.assign(aevb_samples=times["aevb_samples"] / 1e6, dataset=times["dataset"].map(label))
    tables = []
    for device, rows in shown.groupby("device", sort=False):
        wide = rows.pivot_table(index=["dataset", "n_latent", "target"], columns="method", values="aevb_samples")
        wide = wide.rename(columns=label).reset_index()
        text = wide.rename(columns={"n_latent": "N_z", "target": "bound, nats"}).to_string(
            index=False, formatters={"bound, nats": "{:.1f}".format}, float_format="{:.3f}".format, na_rep="–"
        )
        tables.append(fold(str(device)) + f"\n{text}")
    return "\n".join(tables)
