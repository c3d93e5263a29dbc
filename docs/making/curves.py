"""Figures 2 and 3 beside the paper's curves, on the docs' pages: computed from the published results."""

from dataclasses import replace
from typing import Any

import pandas as pd

from aevb import shipped
from docs.making.markup import NONE_YET, fenced, markdown
from harness.claims.seeds import seeds_of
from harness.experiments.paper import EXPERIMENTS
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.bias import format_bias
from harness.figures.compare import label, scientific
from harness.figures.show import by_methods, in_panels
from harness.figures.summary import format_summary, on_the_whole, unexplained

OF_SIZE = {"n_latent": "latent", "n_train": "train"}  # options


def summary(figure: int) -> str:
    """What a figure's command prints last: every curve beside the paper's."""
    comparison, distances = _compared(figure)
    return fenced(format_summary(comparison, distances, (*EXPERIMENTS[figure].key, "split")))


def whole(figure: int) -> str:
    """How many of a figure's curves agree with the paper's, how well, and which do not: sentences."""
    distances = _compared(figure)[1]
    return " ".join(f"{told}." for told in (on_the_whole(distances), unexplained(distances)) if told)


def reach(figure: int) -> str:
    """How many samples the longest run of each curve has seen."""
    experiment = EXPERIMENTS[figure]
    runs = in_panels(pd.read_csv(shipped.RESULTS / f"figure{figure}" / "runs.csv"), experiment, "author")
    ends = by_methods(runs, experiment, ()).pivot_table(
        index=["dataset", "method"], columns=experiment.size, values="samples", aggfunc="max", sort=False
    )
    ends = ends.sort_index(axis=1).map(lambda n: "–" if pd.isna(n) else scientific(n)).reset_index()
    ends["dataset"], ends["method"] = ends["dataset"].map(label), ends["method"].map(label)
    return fenced(ends.rename(columns={"n_latent": "N_z"}).to_string(index=False))


def apart(dataset: str) -> str:
    """How far figure 2's test curves lie apart, lowest to highest seed, wherever they have three seeds or more."""
    experiment, curves = EXPERIMENTS[2], pd.read_csv(shipped.RESULTS / "figure2" / "figure2.csv")
    curves = by_methods(in_panels(curves, experiment, "author"), experiment, ())
    curves = curves[(curves["dataset"] == dataset) & (curves["split"] == "test")]
    rows = []
    for (method, size), curve in curves.groupby(["method", "n_latent"]):
        points = curve.groupby("samples")["lower_bound"].agg(["min", "max", "count"])
        points = points[(points["count"] >= 3) & (points.index >= experiment.compared_from[dataset])]
        if points.empty:
            continue
        nats = points["max"] - points["min"]
        told = {"median": nats.median(), "largest": nats.max(), "at the end": nats.iloc[-1]}
        cells = {name: f"{value:.0f}" for name, value in told.items()}
        rows.append({"method": label(str(method)), "N_z": size, **cells, "end": scientific(points.index[-1])})
    return fenced(pd.DataFrame(rows).to_string(index=False)) if rows else NONE_YET


def each_seed(size: int, method: str) -> str:
    """Figure 3's test log p(x) minus the paper's, seed by seed, where it is compared; the seed that is ahead first."""
    experiment = EXPERIMENTS[3]
    curve: dict[str, Any] = {"dataset": "mnist", "n_train": size, "method": method, "split": "test"}
    paper = seeds_of(read_published(3), experiment.measure, **curve)[0]
    ours = pd.read_csv(shipped.RESULTS / "figure3" / "figure3.csv")
    seeds = seeds_of(ours[ours["protocol"] == "author"], experiment.measure, **curve)
    off = pd.DataFrame({at: {seed: curve.at(at) - paper.at(at) for seed, curve in seeds.items()}
                        for at in experiment.compared_at}).dropna(axis=1, how="all")  # fmt: skip
    off = off.sort_values([*off.columns], ascending=False)
    cells = off.map(lambda nats: "–" if pd.isna(nats) else f"{nats:+.1f}").rename(columns=scientific)
    return fenced(cells.rename_axis(index="seed").reset_index().to_string(index=False)) if len(cells) else NONE_YET


def tried(figure: int) -> str:
    """What else than the protocol was tried: distances of curves from the paper's, with it and with a change.

    Both are of equal seeds, over the range that the changed runs have; protocols that change the data, or nothing of
    this curve, are no tries. Of figure 2 test curves are compared, whose training curves are running means; of figure
    3 both.
    """
    experiment = EXPERIMENTS[figure]
    curves = pd.read_csv(shipped.RESULTS / f"figure{figure}" / f"figure{figure}.csv")
    paper, key, rows = read_published(figure), [*experiment.key], []
    if figure == 2:
        curves = curves[curves["split"] == "test"]
    changed = curves[(curves["protocol"] != "author") & ~curves["protocol"].str.contains("n_train=")]
    for names, runs in changed.groupby(["protocol", *key, "split"]):
        protocol, dataset, size, method, split = map(str, names)
        one, other = (
            experiment.configs(each, [dataset], [0], methods=[method], sizes=[int(size)])[0]
            for each in ("author", protocol)
        )
        if replace(other, protocol="author") == one:
            continue
        of_curve, seeds = (curves[[*key, "split"]] == [*names][1:]).all(axis=1), sorted(runs["seed"].unique())
        end = runs.groupby("seed")["samples"].max().min()
        both = curves[of_curve & curves["seed"].isin(seeds) & curves["protocol"].isin([protocol, "author"])]
        distances = agreement(
            both[both["samples"] <= end], paper, experiment.compared_from, (*key, "split"), experiment.measure
        )
        found = {str(row["protocol"]): row for row in distances.to_dict("records")}
        if {"author", protocol} <= {*found} and distances["seeds"].nunique() == 1:
            task = f"--figure {figure} --dataset {dataset} --{OF_SIZE[experiment.size]} {size} --method {method}"
            rows.append(
                {
                    "curve": f"{label(dataset)} {size}, {label(method)}{f', {split}' if figure == 3 else ''}",
                    "instead": f"`{protocol.partition('+')[2]}`",
                    "seeds": ", ".join(map(str, seeds)), "up to": scientific(found[protocol]["end"]),
                    "RMS with the protocol": f"{found['author']['rms']:.1f}",
                    "RMS instead": f"{found[protocol]['rms']:.1f}",
                    "command": f"`{task} --seed {' '.join(map(str, seeds))} --samples {end:.0f} --protocol {protocol}`",
                }
            )  # fmt: skip
    return markdown(pd.DataFrame(rows)) if rows else NONE_YET


def better_estimates() -> str:
    """How far figure 3's estimates lie from better ones, where some are published."""
    path = shipped.RESULTS / "figure3" / "reestimates.csv"
    return fenced(format_bias(pd.read_csv(path), EXPERIMENTS[3].key)) if path.exists() else NONE_YET


def methods(protocol: str = "author") -> str:
    """Test bounds of figure 2's panels that have other methods than the paper's, where the last of all ends."""
    table = in_panels(pd.read_csv(shipped.RESULTS / "figure2" / "comparison.csv"), EXPERIMENTS[2], protocol)
    table = table[table["split"] == "test"]
    parts = []
    for (dataset, size), panel in table.groupby(["dataset", "n_latent"], sort=False):
        names = [*panel["method"].drop_duplicates()]
        if set(names) <= {*EXPERIMENTS[2].methods}:
            continue
        reached = panel.groupby("samples")["method"].nunique()
        by_all = reached[reached == len(names)].index
        if by_all.empty:
            continue
        at = float(by_all.max())
        rows = panel[panel["samples"] == at].to_dict("records")
        cells = {label(row["method"], 24): f"{row['ours']:.1f} ± {row['standard_error']:.1f}" for row in rows}
        parts.append({"panel": f"{label(str(dataset))}, N_z = {size}", "samples": scientific(at), **cells})
    return markdown(pd.DataFrame(parts).fillna("–")) if parts else NONE_YET


def _compared(figure: int) -> list[pd.DataFrame]:
    """Differences and distances of a figure's panels and methods, protocol "author"."""
    folder, experiment = shipped.RESULTS / f"figure{figure}", EXPERIMENTS[figure]
    tables = (pd.read_csv(folder / f"{name}.csv") for name in ("comparison", "agreement"))
    return [by_methods(in_panels(table, experiment), experiment) for table in tables]
