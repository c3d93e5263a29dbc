"""Which choices are tried, and on which curves, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2


@dataclass(frozen=True)
class Curve:
    """A curve of figure 2."""

    dataset: str
    method: str
    n_latent: int

    def configs(self, protocol: str, seeds: Sequence[int]) -> list[Config]:
        """Its runs."""
        return FIGURE2.configs(protocol, [self.dataset], seeds, methods=[self.method], sizes=[self.n_latent])


@dataclass(frozen=True)
class Alternative:
    """One choice made otherwise than the author's protocol makes it.

    Attributes:
        choice: what is chosen.
        value: what is chosen instead.
        change: the same, as `--protocol author+…` takes it.
        curves: that it is tried on.
    """

    choice: str
    value: str
    change: str
    curves: tuple[Curve, ...]

    @property
    def protocol(self) -> str:
        """Of its runs."""
        return f"author+{self.change}"

    def command(self, curve: Curve, seeds: Sequence[int], samples: int) -> str:
        """What computes these runs alone."""
        return (
            f"python reproduce.py --figure 2 --dataset {curve.dataset} --method {curve.method} "
            f"--latent {curve.n_latent} --seed {' '.join(map(str, seeds))} --samples {samples} "
            f"--protocol {self.protocol}"
        )


M3, M10, M20 = (Curve("mnist", "aevb", n) for n in (3, 10, 20))
W20 = Curve("mnist", "wake_sleep", 20)
F2, F5, F10, F20 = (Curve("frey_face", "aevb", n) for n in (2, 5, 10, 20))
V2, V20 = (Curve("frey_face", "wake_sleep", n) for n in (2, 20))
CURVES = (M3, M10, M20, W20, F2, F5, F10, F20, V2, V20)
MNIST_AEVB, FREY_AEVB, FREY_BOTH = (M3, M10, M20), (F2, F5, F10, F20), (F2, F20, V2, V20)
# Where a choice that costs much or matters little is tried.
FEW = (M10, W20, F2, F20)

ALTERNATIVES: tuple[Alternative, ...] = (
    Alternative("estimator", "B", "estimator=b", (*MNIST_AEVB, F2, F20)),
    Alternative("minibatch M", "500", "batch_size=500", (M10, W20)),
    Alternative("minibatch M", "100", "batch_size=100", (F2, F20, V2)),
    Alternative("noise samples L", "3", "n_samples=3", (M10, F2, F20)),
    Alternative("encoder's log σ² head, factor", "0.1", "encoder_log_var_factor=0.1", (M10, M20, F2, F20)),
    Alternative("encoder's log σ² head, factor", "1", "encoder_log_var_factor=1", (W20,)),
    Alternative("encoder's log σ² head, start", "N(0, σ²)", "encoder_log_var_zero=false", FEW),
    Alternative("decoder's output biases, start", "N(0, σ²)", "decoder_bias_zero=false", (M10, F2, F20)),
    Alternative("start σ", "0.1", "init_std=0.1", (M10, M20, W20, *FREY_BOTH)),
    Alternative("start σ", "0.05, encoder alone", "encoder_init_factor=5", (M10, F2, F20)),
    Alternative("hidden layers", "softplus", "encoder_activation=softplus+decoder_activation=softplus", (M10, M20)),
    Alternative("hidden layers", "tanh", "encoder_activation=tanh+decoder_activation=tanh", (*FREY_AEVB, V2, V20)),
    Alternative(
        "hidden layers",
        "tanh, encoder starting at σ = 0.05",
        "encoder_activation=tanh+decoder_activation=tanh+encoder_init_factor=5",
        FREY_AEVB,
    ),
    Alternative("hidden layers", "softplus in the encoder alone", "decoder_activation=tanh", FREY_AEVB),
    Alternative("decoder's log σ² head", "on z", "decoder_log_var=latent", FREY_BOTH),
    Alternative(
        "decoder's log σ² head",
        "as the encoder's: 0.1, zero start",
        "decoder_log_var_factor=0.1+decoder_log_var_zero=true",
        FREY_BOTH,
    ),
    Alternative("warm-up", "none", "warm_up=0", FEW),
    Alternative("prior on weights", "none", "prior_weight=0", (M20, F20)),
    Alternative("prior on weights", "not the encoder's", "prior_on_encoder=false", (M20, F20)),
    Alternative("prior on weights", "biases too", "prior_on_biases=true", (M20, F20)),
    Alternative("pixels", "0 or 1, at ½", "binarization=threshold", (M10, W20)),
    Alternative("pixels", "0 or 1, drawn once", "binarization=static", (M10, W20)),
    Alternative("pixels", "0 or 1, drawn at every step", "binarization=dynamic", (M10, W20)),
    Alternative("pixels divided by", "256", "pixel_scale=256", (M10,)),
    Alternative("pixels divided by", "255", "pixel_scale=255", (F2, F20, V2, V20)),
    Alternative("split of Frey Face", "chronological", "split=chronological", (F2, F20, V2, V20)),
    Alternative("step size η", "0.01", "step_size=0.01", (M3, M10, M20, F5, F10, F20, V2)),
    Alternative("step size η", "0.02", "step_size=0.02", (W20, F2)),
    Alternative("step size η", "0.1", "step_size=0.1", (M10, F2, F20)),
)
CHOICES: Mapping[str, tuple[Alternative, ...]] = {
    choice: tuple(each for each in ALTERNATIVES if each.choice == choice)
    for choice in dict.fromkeys(each.choice for each in ALTERNATIVES)
}
