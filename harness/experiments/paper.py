"""What can be reproduced: every curve of every figure, as data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.protocols import protocol_config


@dataclass(frozen=True)
class Scale:
    """How far an experiment goes: training samples for each curve, and points to evaluate on."""

    name: str
    samples: int
    evaluation_points: int


@dataclass(frozen=True)
class Experiment:
    """A figure of the paper: a panel for each dataset and size, a curve in it for each method and split.

    Attributes:
        figure: its number.
        size: the field that tells a dataset's panels apart.
        measure: what its curves show, nats.
        panels: sizes of each dataset.
        own_panels: sizes for a user's array.
        methods: algorithms.
        scales: how far to go, by name.
        compared_at: sample counts at which our curves are compared with the paper's.
        fields: fields of all its runs.
        method_fields: further fields of one method's runs.
        curve_fields: further fields of one method's runs at one size.
    """

    figure: int
    size: str
    measure: str
    panels: Mapping[str, tuple[int, ...]]
    own_panels: tuple[int, ...]
    methods: tuple[str, ...]
    scales: Mapping[str, Scale]
    compared_at: tuple[float, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    method_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    curve_fields: Mapping[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell the curves of one protocol apart, seeds aside."""
        return "dataset", self.size, "method"

    def sizes(self, dataset: str) -> tuple[int, ...]:
        """Sizes of a dataset's panels."""
        return self.panels.get(dataset, self.own_panels)

    def configs(
        self,
        scale: Scale,
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
                    **self.method_fields.get(method, {}),
                    **self.curve_fields.get((method, size), {}),
                    self.size: size,
                    "measure": self.measure,
                    "method": method,
                    "seed": seed,
                    "samples": scale.samples,
                    "evaluation_points": scale.evaluation_points,
                    "data_sha256": "" if dataset in self.panels else data_sha256,
                },
            )
            for dataset in datasets
            for size in sizes or self.sizes(dataset)
            for method in methods or self.methods
            for seed in seeds
        ]

    def defines(self, config: Config, scale: Scale) -> bool:
        """A stored run is the figure's at this scale, as this version defines it."""
        try:
            same = self.configs(
                scale,
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


def _scales(*scales: Scale) -> Mapping[str, Scale]:
    return {scale.name: scale for scale in scales}


# Kingma & Welling 2013, section 5, "likelihood lower bound".
FIGURE2 = Experiment(
    figure=2,
    size="n_latent",
    measure="lower_bound",
    panels={"mnist": (3, 5, 10, 20, 200), "frey_face": (2, 5, 10, 20)},
    own_panels=(2, 5, 10, 20),
    methods=("aevb", "wake_sleep"),
    scales=_scales(Scale("smoke", 20_000, 500), Scale("quick", 1_000_000, 10_000), Scale("paper", 100_000_000, 10_000)),
    compared_at=(1e6, 1e7, 1e8),
)

# Kingma & Welling 2013, section 5, "marginal likelihood".
FIGURE3 = Experiment(
    figure=3,
    size="n_train",
    measure="marginal_log_likelihood",
    panels={"mnist": (1_000, 50_000)},
    own_panels=(0,),
    methods=("aevb", "wake_sleep", "mcem"),
    scales=_scales(Scale("smoke", 60_000, 50), Scale("quick", 6_000_000, 1_000), Scale("paper", 60_000_000, 1_000)),
    compared_at=(1e6, 2e6, 5e6, 2e7, 6e7),
    fields={"n_latent": 3, "hidden": (100,), "step_size": 0.1, "first_point": 100_000, "points_per_decade": 8},
    # After a warm-up of 100 weight steps MCEM would begin to move at 300,000 samples, where the paper's has come far.
    method_fields={"mcem": {"batch_size": 0, "warm_up": 0}},
    curve_fields={("aevb", 50_000): {"step_size": 0.02}},
)

EXPERIMENTS: Mapping[int, Experiment] = {experiment.figure: experiment for experiment in (FIGURE2, FIGURE3)}

# Figures 4 and 5 and the demos show what AEVB models trained as figure 2's have learned, and share its runs.
FIGURE4 = replace(FIGURE2, figure=4, panels={"frey_face": (2,), "mnist": (2,)}, own_panels=(2,), methods=("aevb",))
FIGURE5 = replace(FIGURE2, figure=5, panels={"mnist": (2, 5, 10, 20)}, methods=("aevb",))
DEMO = replace(FIGURE2, panels={"mnist": (20,), "frey_face": (20,)}, own_panels=(20,), methods=("aevb",))

PICTURES: Mapping[int, Experiment] = {experiment.figure: experiment for experiment in (FIGURE4, FIGURE5)}
