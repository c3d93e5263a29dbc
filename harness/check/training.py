"""Short runs through the runner that computes the figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.check.case import Place
from harness.runs.job import Job
from harness.runs.train import run
from harness.store.files import scratch


@dataclass(frozen=True)
class Training:
    """A run whose quantities are the first and the last point of its curves, when it climbs fastest and at its end.

    Attributes:
        name: in one line.
        dataset: "mnist" or the waves.
        method: the algorithm.
        protocol: named, with changes.
        fields: `samples`, how far the run goes, and further fields of the config.
    """

    name: str
    dataset: str
    method: str
    protocol: str
    fields: Mapping[str, object]

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset()

    @property
    def samples(self) -> int:
        """How far the run goes."""
        return int(str(self.fields["samples"]))

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """Nats; where the run diverged, at the points before."""
        fields = {name: value for name, value in self.fields.items() if name != "samples"}
        config = place.config(self.dataset, self.protocol, method=self.method, seed=seed, **fields)
        with scratch() as folder:
            job = Job(config, self.samples, folder, place.data(self.dataset), place.device, place.engine)
            run(job)
            curve = job.folder.read_curve()
        if curve.empty:
            return {}
        ends = curve["samples"].isin([curve["samples"].min(), curve["samples"].max()])
        points = curve[ends & curve["split"].isin(["train", "train_eval", "test"])]
        return {
            f"{split} at {samples:,}": float(value)
            for split, samples, value in zip(points["split"], points["samples"], points[config.measure], strict=True)
        }
