"""What can be reproduced: every curve of every figure, as data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.experiments.protocols import protocol_config


@dataclass(frozen=True)
class Experiment:
    """A figure of the paper: a panel for each dataset and size, a curve in it for each method and split.

    Attributes:
        figure: its number.
        size: the field that tells a dataset's panels apart.
        measure: what its curves show, nats.
        panels: sizes of each dataset.
        own_panels: sizes for a user's array.
        methods: algorithms of the paper; others are drawn where they are asked for.
        scales: names for how far to go, in training samples for each curve; each is the beginning of the next.
        compared_at: sample counts at which our curves are compared with the paper's.
        compared_from: sample count of each dataset from which on their distance is taken.
        fields: fields of all its runs.
    """

    figure: int
    size: str
    measure: str
    panels: Mapping[str, tuple[int, ...]]
    own_panels: tuple[int, ...]
    methods: tuple[str, ...]
    scales: Mapping[str, int]
    compared_at: tuple[float, ...]
    compared_from: Mapping[str, float]
    fields: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, method: str) -> bool:
        """A method can be drawn in it; Monte Carlo EM has no bound."""
        return method in self.methods or (len(self.methods) > 1 and method_of(method).like != "mcem")

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell the curves of one protocol apart, seeds aside."""
        return "dataset", self.size, "method"

    def sizes(self, dataset: str) -> tuple[int, ...]:
        """Sizes of a dataset's panels."""
        return self.panels.get(dataset, self.own_panels)

    def configs(
        self,
        protocol: str,
        datasets: Iterable[str],
        seeds: Sequence[int],
        *,
        methods: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        data_sha256: str = "",
    ) -> list[Config]:
        """Configs of the figure's curves, in the order of its panels; `sizes` replaces every dataset's panels."""
        return [
            protocol_config(
                protocol,
                dataset,
                **{
                    **self.fields,
                    self.size: size,
                    "measure": self.measure,
                    "method": method,
                    "seed": seed,
                    "data_sha256": "" if dataset in self.panels else data_sha256,
                },
            )
            for dataset in datasets
            for size in sizes or self.sizes(dataset)
            for method in methods or self.methods
            for seed in seeds
        ]

    def defines(self, config: Config) -> bool:
        """A stored run is the figure's, as this version defines it."""
        try:
            same = self.configs(
                config.protocol,
                [config.dataset],
                [config.seed],
                methods=[config.method],
                sizes=[getattr(config, self.size)],
                data_sha256=config.data_sha256,
            )
        except UserError:  # of a protocol that this version does not know
            return False
        return same == [config]


# Kingma & Welling 2013, section 5, "likelihood lower bound".
FIGURE2 = Experiment(
    figure=2,
    size="n_latent",
    measure="lower_bound",
    panels={"mnist": (3, 5, 10, 20, 200), "frey_face": (2, 5, 10, 20)},
    own_panels=(2, 5, 10, 20),
    methods=("aevb", "wake_sleep"),
    scales={"smoke": 20_000, "quick": 1_000_000, "paper": 100_000_000},
    compared_at=(1e6, 1e7, 1e8),
    compared_from={"mnist": 3e5, "frey_face": 5e5},  # the first points of the train curves average over the warm-up
)

# Kingma & Welling 2013, section 5, "marginal likelihood".
FIGURE3 = Experiment(
    figure=3,
    size="n_train",
    measure="marginal_log_likelihood",
    panels={"mnist": (1_000, 50_000)},
    own_panels=(0,),
    methods=("aevb", "wake_sleep", "mcem"),
    scales={"smoke": 60_000, "quick": 6_000_000, "paper": 60_000_000},
    compared_at=(1e6, 2e6, 5e6, 1e7, 2e7, 6e7),
    compared_from={"mnist": 2e6},
    fields={
        "n_latent": 3,
        "first_point": 100_000,
        "points_per_decade": 8,
        "evaluation_points": 1_000,
    },
)

EXPERIMENTS: Mapping[int, Experiment] = {experiment.figure: experiment for experiment in (FIGURE2, FIGURE3)}

# Figures 4 and 5 and the demos show what AEVB models trained as figure 2's have learned, and share its runs.
FIGURE4 = replace(FIGURE2, figure=4, panels={"frey_face": (2,), "mnist": (2,)}, own_panels=(2,), methods=("aevb",))
FIGURE5 = replace(FIGURE2, figure=5, panels={"mnist": (2, 5, 10, 20)}, methods=("aevb",))
DEMO = replace(FIGURE2, panels={"mnist": (20,), "frey_face": (20,)}, own_panels=(20,), methods=("aevb",))
DEMOS = ("generate", "reconstruct", "interpolate", "denoise", "inpaint")  # what such a model is shown to be good for

PICTURES: Mapping[int, Experiment] = {experiment.figure: experiment for experiment in (FIGURE4, FIGURE5)}
