"""The algorithms that can be run: those of the project by name, anybody's by where their learner is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aevb.places import is_place, short_name


@dataclass(frozen=True)
class Method:
    """An algorithm, and how it is built and shown.

    Attributes:
        label: its name in print.
        learner: its class, as "package.module:Class".
        fast: the same with gradients by hand; "" where there is none.
        like: the algorithm of the paper whose choices a protocol makes for it.
        fields: of a config, that are its own whatever the protocol says.
        arguments: of its class, that make it what it is.
    """

    label: str
    learner: str
    fast: str = ""
    like: Literal["aevb", "wake_sleep", "mcem"] = "aevb"
    fields: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


_WEIGHTED = "baselines.importance_weighted:ImportanceWeighted"
METHODS: Mapping[str, Method] = {
    # The paper's.
    "aevb": Method("AEVB", "aevb.aevb:AEVB", "aevb.fast.aevb:FastAEVB"),
    "wake_sleep": Method(
        "wake-sleep", "baselines.wake_sleep:WakeSleep", "baselines.fast_wake_sleep:FastWakeSleep", like="wake_sleep"
    ),
    "mcem": Method("MCEM", "baselines.mcem:MonteCarloEM", "baselines.fast_mcem:FastMonteCarloEM", like="mcem"),
    # Later ones.
    "stl": Method("sticking the landing", "baselines.sticking_the_landing:StickingTheLanding"),
    "iwae": Method("IWAE", _WEIGHTED, fields={"n_samples": 5}),
    "dreg": Method("IWAE, DReG", _WEIGHTED, fields={"n_samples": 5}, arguments={"doubly_reparameterized": True}),
    "rws": Method(
        "reweighted wake-sleep",
        "baselines.reweighted_wake_sleep:ReweightedWakeSleep",
        like="wake_sleep",
        fields={"n_samples": 5},
    ),
    "full_vb": Method("full VB", "baselines.full_vb:FullVariationalBayes"),
}


def is_method(name: object) -> bool:
    """A known name, or a place where a learner may be."""
    return isinstance(name, str) and (name in METHODS or is_place(name))


def method_of(name: str) -> Method:
    """What is known by the name; of a learner from elsewhere, where it is."""
    return METHODS.get(name) or Method(short_name(name), name)
