"""Everything that decides a run's numbers, as one frozen config."""

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

from aevb.errors import UserError
from aevb.places import is_place, name_in_print, short_name
from harness.experiments.methods import method_of
from harness.experiments.values import OWN, STEP_SIZE_TYPE, Arguments, bad, checked

Activation = Literal["tanh", "softplus"]


@dataclass(frozen=True)
class Config:
    """One run: data, model, algorithm and evaluation. Equal configs give equal curves on one machine.

    A run is a trajectory: how far it goes is not part of it.

    The defaults are what fits the paper's MNIST curves. A field that joins later has as its default what was done
    before, so that the runs of an older version keep their ids.

    Attributes:
        dataset: "mnist", "frey_face", the file name of the user's array, or the place of a function that loads it.
        method: a name of `harness.experiments.methods`, or the place of a learner, "package.module:Class".
        learner: names and values of arguments that the learner's class has of its own, sorted.
        n_latent: N_z, size of z.
        seed: of the initial weights, the minibatches and the noise.
        protocol: name of the protocol that set the choices below.
        measure: what is logged: the lower bound, or log p(x) by appendix D.
        n_train: the first this many training points are used; 0 for all.
        data_sha256: content of a user's array; empty for a named dataset, whose content is fixed.
        pixel_scale: raw pixels are divided by this; 0 where the data come as they are.
        split: how Frey Face is split, "shuffled" or "chronological"; MNIST's split is fixed.
        binarization: "none", "threshold", "static" (drawn once) or "dynamic" (drawn anew at every minibatch).
        decoder: "bernoulli", "gaussian", or the place of a model's class, "package.module:Class".
        hidden: widths of the hidden layers of encoder and of decoder.
        encoder_activation: of the encoder's, "tanh" or "softplus".
        decoder_activation: of the decoder's.
        decoder_log_var: what a Gaussian decoder's log σ² takes: "hidden" layer, "latent" z, nothing ("constant").
        decoder_log_var_factor: multiplies that head before its bias is added.
        decoder_log_var_zero: that head starts at zero.
        encoder_log_var_factor: multiplies the encoder's log-variance head before its bias is added.
        encoder_log_var_zero: that head starts at zero.
        init_std: standard deviation of all other initial weights and biases.
        encoder_init_factor: multiplies it in the encoder.
        decoder_bias_zero: the biases of the decoder's outputs, mean and log σ², start at zero.
        batch_size: M, datapoints in a minibatch, drawn uniformly with replacement; 0 for all of them, each once.
        n_samples: L, noise samples for each datapoint in training.
        estimator: of the bound that AEVB climbs, "a" or "b".
        step_size: Adagrad's η, or "auto": the best of 0.01, 0.02, 0.1 by training bound in the first iterations.
        auto_steps: iterations that "auto" gives each candidate.
        warm_up: first iterations, in which Adagrad only accumulates.
        prior_weight: factor of the prior (M/N) · log N(θ; 0, I); 0 leaves it out.
        prior_on_biases: the prior covers biases too.
        prior_on_encoder: the prior covers φ as well as θ.
        evaluation_points: how many test and how many training points are evaluated (the first ones).
        first_point: training samples before the first logged point.
        points_per_decade: density of the log-spaced grid of logged points.
        paper_points: the sample counts of the paper's own curve are logged too, where it has one.
        extra_leapfrog: leapfrog steps that every HMC move makes beyond those named here, which the axis does not count.
        chain_leapfrog: leapfrog steps of an HMC move in Monte Carlo EM.
        chain_step_size: HMC's there, before any tuning.
        weight_steps: Adagrad steps of an iteration of Monte Carlo EM.
        posterior_leapfrog: leapfrog steps of an HMC move in appendix D.
        posterior_burn_in: moves before the draws at every evaluation there; they tune the step size.
        posterior_samples: appendix D's draws of p(z|x) for each evaluated point.
        posterior_starts: prior draws of which the best starts a point's chain; 1 is the author's library's.
        posterior_fit: appendix D's density, as `aevb.marginal.appendix_d` names it.
        posterior_chains: the evaluations from which appendix D's chains go on: at "every_point", or, where the paper
            has such a curve, at the "paper_points" alone, or there and at those that its "paper_timer" would have had
            before the first that is drawn; others leave no trace.
        posterior_jitter: of HMC's step size in appendix D.
        posterior_step_size: HMC's there, before any tuning.
        posterior_tuning: what tunes each chain's step size there: "burn_in" moves, towards acceptance 0.9, or
            "every_move", by e^1.02 up where it is accepted and down where it is not.
        precision: of the factors of matrix products in training; sums and all that is kept are float32.
        decoder_arguments: as `learner`, of the decoder's class.
    """

    dataset: str
    method: str
    n_latent: int
    seed: int
    protocol: str
    measure: str = "lower_bound"
    n_train: int = 0
    data_sha256: str = ""
    pixel_scale: float = 255.0
    split: str = "shuffled"
    binarization: str = "none"
    decoder: str = "bernoulli"
    hidden: tuple[int, ...] = (500,)
    encoder_activation: Activation = "tanh"
    decoder_activation: Activation = "tanh"
    decoder_log_var: Literal["hidden", "latent", "constant"] = "latent"
    decoder_log_var_factor: float = 1.0
    decoder_log_var_zero: bool = False
    encoder_log_var_factor: float = 0.1
    encoder_log_var_zero: bool = True
    init_std: float = 0.01
    encoder_init_factor: float = 1.0
    decoder_bias_zero: bool = False
    batch_size: int = 100
    n_samples: int = 1
    estimator: Literal["a", "b"] = "b"
    step_size: STEP_SIZE_TYPE = 0.02
    auto_steps: int = 500
    warm_up: int = 100
    prior_weight: float = 1.0
    prior_on_biases: bool = False
    prior_on_encoder: bool = False
    evaluation_points: int = 10_000
    first_point: int = 10_000
    points_per_decade: int = 10
    paper_points: bool = False
    extra_leapfrog: int = 0
    chain_leapfrog: int = 10
    chain_step_size: float = 0.01
    weight_steps: int = 5
    posterior_leapfrog: int = 4
    posterior_burn_in: int = 5
    posterior_samples: int = 50
    posterior_starts: int = 1
    posterior_fit: Literal["shrunk_kde", "kde", "scott_kde", "full", "diagonal"] = "kde"
    posterior_chains: Literal["every_point", "paper_points", "paper_timer"] = "every_point"
    posterior_jitter: float = 0.0
    posterior_step_size: float = 0.1
    posterior_tuning: Literal["burn_in", "every_move"] = "burn_in"
    precision: Literal["float32", "bfloat16"] = "float32"
    learner: Arguments = ()
    decoder_arguments: Arguments = ()

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            UserError: one is not allowed.
        """
        for field in fields(self):
            object.__setattr__(self, field.name, checked(field.name, field.type, getattr(self, field.name)))
        if method_of(self.method).like == "mcem" and self.step_size == "auto":
            raise bad("step_size", "a number for mcem, which has no lower bounds to compare", self.step_size)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that only this config has; fields at their defaults do not enter."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """What a person calls the run."""
        part = f" N={self.n_train:,}" if self.n_train else ""
        own = f" {short_name(self.decoder)}" if is_place(self.decoder) else ""
        dataset, method = name_in_print(self.dataset, 24), short_name(self.method)
        return f"{dataset}{part} N_z={self.n_latent} {method}{own} seed {self.seed}"

    @property
    def places(self) -> tuple[str, ...]:
        """Of code that is not the project's and that computing this run imports: its learner's, its decoder's."""
        return tuple(name for name in (self.method, self.decoder) if is_place(name))

    def to_json(self) -> str:
        """All fields, sorted, as JSON."""
        return json.dumps(asdict(self), sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """The config that `to_json` wrote, in this version or an older one.

        Raises:
            UserError: it is not JSON, fields are unknown, as in a file of a newer version, or missing, or a value is
                not allowed.
        """
        try:
            values: dict[str, Any] = dict(json.loads(text).items())
        except (ValueError, AttributeError, RecursionError) as error:
            raise UserError(f"a config must be an object in JSON, got {error}: put back what was stored") from error
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if wrong := (set(values) - known) | (needed - set(values)):
            raise UserError(f"a config must have the fields of this version; unknown or missing: {sorted(wrong)}")
        if isinstance(values.get("hidden"), list):
            values["hidden"] = tuple(values["hidden"])
        for name in OWN.values():
            if isinstance(values.get(name), list):
                values[name] = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in values[name])
        return cls(**values)
