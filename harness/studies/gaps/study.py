"""Where the nats go, for every model of figure 2 that the store has kept; nothing is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.experiments.paper import FIGURE2
from harness.figures.request import Request
from harness.pictures.models import load_trained
from harness.runs.build import load, prepare
from harness.runs.streams import stream
from harness.store.files import write_text
from harness.store.shelves import KeptModel, Shelves
from harness.store.tables import read_table
from harness.studies.data import with_data
from harness.studies.gaps.measure import GapsStudy, Nats, measure
from harness.studies.gaps.plot import plot_gaps
from harness.studies.gaps.table import ACTIVE_VARIANCE, format_gaps
from harness.studies.show import show
from harness.workers.parts import (
    begin_study,
    compute_parts,
    folder_of_parts,
    gather,
    study_folder,
    write_part,
)

NAME, LATENTS, POINTS = "gaps", "latents", "points"
LATENTS_FILE, POINTS_FILE = 0, 1  # of a part's files
SPLITS = ("train", "test")

STUDIES: Mapping[str, GapsStudy] = {
    "smoke": GapsStudy(8, 4, 50, 60, 60, 200, 30, 4),
    "quick": GapsStudy(),
    "paper": GapsStudy(500, 100, 500, 1000, 2000, 10_000, 1000, 16),
}


@dataclass(frozen=True)
class Part:
    """One model, as its run has kept it."""

    study: GapsStudy
    folder: Path
    kept: KeptModel
    data: Path | None

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """A row for each latent and split, for each datapoint, and for each split."""
        name = f"{self.kept.folder.path.name}-{self.kept.samples}{self.kept.mark}"
        parts = folder_of_parts(self.folder, self.study)
        return parts / f"{name}-{LATENTS}.csv", parts / f"{name}-{POINTS}.csv", parts / f"{name}.csv"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.kept.folder.config.name} at {self.kept.samples:,} samples"

    def compute(self) -> None:
        """Measure the training and the test points."""
        config = self.kept.folder.config
        trained = load_trained(self.kept)
        data = prepare(config, load(config, self.data), torch.device("cpu"))
        rows, latents, datapoints = [], [], []
        for split, points in zip(SPLITS, (data.train_points, data.test_points), strict=True):
            x = points[: self.study.points]
            nats = measure(self.study, trained.model, trained.encoder, x, stream(f"gaps, {split}", config.seed))
            names = {**curve_of(config), "seed": config.seed, "samples": self.kept.samples, "split": split}
            rows.append(names | summary(nats))
            variance = nats.mean.var(0)
            latents += [
                names | {"latent": k, "kl": float(nats.kl[:, k].mean()), "variance_of_mean": float(variance[k])}
                for k in nats.kl.mean(0).argsort(descending=True).tolist()
            ]
            datapoints.append(of_points(nats).assign(**names))
        write_part(self.files[LATENTS_FILE], latents)
        write_part(self.files[POINTS_FILE], pd.concat(datapoints))
        write_part(self.files[-1], rows)


def curve_of(config: Config) -> dict[str, Any]:
    """Fields that name a curve of figure 2."""
    return {name: getattr(config, name) for name in FIGURE2.key}


def summary(nats: Nats) -> dict[str, float]:
    """Means over datapoints whose log p(x) is trusted, and their standard errors, nats; differences are paired."""
    there = nats.trusted
    values = {
        "log_p": nats.log_p,
        "bound": nats.bound,
        "best": nats.best,
        "approximation": nats.log_p - nats.best,
        "amortization": nats.best - nats.bound,
        "kl": nats.kl.sum(-1),
        "ais": nats.ais,
        "ais_minus_log_p": nats.ais - nats.log_p,
    }
    row: dict[str, float] = {"datapoints": int(there.sum()), "untrusted": int((~there).sum())}
    for name, value in values.items():
        kept = value.double()[there & value.isfinite()]
        row[name] = float(kept.mean()) if len(kept) else float("nan")
        row[f"{name}_error"] = float(kept.std()) / len(kept) ** 0.5 if len(kept) > 1 else float("nan")
    return row | {"active": int((nats.mean.var(0) > ACTIVE_VARIANCE).sum())}


def of_points(nats: Nats) -> pd.DataFrame:
    """log_p, best and bound of each datapoint, nats; log_p is NaN where it is not to be trusted."""
    log_p = torch.where(nats.trusted, nats.log_p, torch.nan)
    columns = {"log_p": log_p, "best": nats.best, "bound": nats.bound}
    values = {name: value.double().numpy().round(3) for name, value in columns.items()}
    return pd.DataFrame({"point": range(len(log_p)), **values})


def show_study(request: Request) -> None:
    """Run the study at the request's scale, print its table and verdicts and draw its figure."""
    study, folder = STUDIES[request.scale], study_folder(request.results, NAME)
    show(
        request,
        NAME,
        [NAME, LATENTS],
        lambda: run_study(study, folder, request),
        lambda table, _: format_gaps(table, points_beside(request.shelves)),
        plot_gaps,
    )


def points_beside(shelves: Shelves) -> pd.DataFrame | None:
    """Each datapoint's nats, of the study whose table is shown; None of one that was computed before they were kept."""
    table, points = (shelves.place("studies", NAME, f"{name}.csv") for name in (NAME, POINTS))
    return None if table is None or points is None or points.parent != table.parent else read_table(points)


def kept_models(request: Request) -> list[KeptModel]:
    """The models of figure 2's runs, and those of the project at counts of samples where the reader has none."""
    found: dict[tuple[object, ...], KeptModel] = {}
    for folder in (*request.shelves.published_runs(), *request.shelves.own_runs()):
        config = folder.config
        here = config.protocol == request.protocol and config.measure == FIGURE2.measure and not config.data_sha256
        if here and method_of(config.method).like != "mcem":
            for samples in folder.model_samples():
                found[(*map(str, curve_of(config).values()), config.seed, samples)] = KeptModel(folder, samples)
    return [found[name] for name in sorted(found)]


def parts_of(study: GapsStudy, folder: Path, request: Request) -> list[Part]:
    """A part for each model."""
    return [Part(study, folder, kept, request.data) for kept in kept_models(request)]


def run_study(study: GapsStudy, folder: Path, request: Request) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the parts that are not in the folder, write gaps.csv, latents.csv and points.csv; return the first two.

    Columns of gaps.csv: dataset, n_latent, method, seed, samples, split; datapoints and untrusted (numbers of those
    whose log p(x) is and is not to be trusted; the latter are left out); then means over datapoints with their standard
    errors, nats: log_p, bound, best, approximation (log_p − best), amortization (best − bound), kl, ais and
    ais_minus_log_p (of fewer points); active (latents whose mean varies over the datapoints by more than 0.01).
    latents.csv: kl and variance_of_mean of each latent. points.csv: log_p, best and bound of each datapoint.

    Raises:
        UserError: the store has no models.
    """
    parts = with_data(parts_of(study, folder, request), lambda part: part.kept.folder.config.dataset, request.data)
    if not parts:
        raise UserError(
            f"there must be models to look into; {request.shelves.runs} has none of protocol {request.protocol} whose "
            "data are to be had: train some, say with --figure 2"
        )
    begin_study(study, folder, parts, force=request.force)
    compute_parts(parts, request.place, force=request.force)
    table, latents, points = gather(parts), gather(parts, LATENTS_FILE), gather(parts, POINTS_FILE)
    for name, rows in ((NAME, table), (LATENTS, latents), (POINTS, points)):
        write_text(folder / f"{name}.csv", rows.to_csv(index=False))
    return table, latents
