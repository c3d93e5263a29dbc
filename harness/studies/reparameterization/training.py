"""Size of the reparameterization study, its fresh learners, and the training run whose stages it measures."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.estimators import lower_bound_a, lower_bound_b
from aevb.learner import Batch, Learner
from aevb.model import BernoulliModel, GenerativeModel
from baselines.score_function import ScoreFunction
from harness.experiments.protocols import protocol_config
from harness.runs.job import Job
from harness.runs.streams import stream
from harness.runs.train import run
from harness.store.invocation import command_line
from harness.store.shelves import Shelves
from harness.studies.reparameterization.table import BASELINE, NAIVE, A, B

BATCH, STEP_SIZE = 100, 0.02  # of the training run, as for the paper's MNIST curves
# What the learning curves' fresh learners have, whichever estimator they follow.
AS_CURVES = "+estimator=b+warm_up=100+encoder_log_var_factor=0.1+decoder_bias_zero=false+prior_on_encoder=false"


@dataclass(frozen=True)
class Study:
    """Size of the study.

    Attributes:
        stages: training samples after which gradients are measured: 0, and powers of ten, where runs keep models.
        points: training points to measure them at.
        draws: at each of these.
        replicates: minibatches in each direct simulation.
        curve_samples: datapoints visited in a learning curve.
        seeds: of the learning curves.
        pair_seeds: of the two whose difference says whether L = 1 suffices; more, for it is a small one.
        n_latent: size of z.
        hidden: tanh units of encoder and decoder, as in the paper's figure 3.
        n_samples: values of L.
        batch_sizes: values of M.
        simulated: pairs (L, M) that are simulated directly too.
        step_sizes: the paper's candidates; each estimator's curve is drawn with its best.
        long_curves: pairs (M, L) of further learning curves with estimator B.
        test_points: that the learning curves are evaluated on.
    """

    stages: tuple[int, ...] = (0, 100_000, 1_000_000)
    points: int = 2000
    draws: int = 32
    replicates: int = 200
    curve_samples: int = 200_000
    seeds: tuple[int, ...] = (0, 1, 2)
    pair_seeds: tuple[int, ...] = tuple(range(100))
    n_latent: int = 10
    hidden: tuple[int, ...] = (100,)
    n_samples: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    batch_sizes: tuple[int, ...] = (1, 10, 100, 1000)
    simulated: tuple[tuple[int, int], ...] = ((1, 1), (1, 100), (10, 10), (100, 1))
    step_sizes: tuple[float, ...] = (0.01, 0.02, 0.1)
    long_curves: tuple[tuple[int, int], ...] = ((100, 10), (10, 1), (10, 10))
    test_points: int = 1000


@dataclass(frozen=True)
class Training:
    """AEVB with estimator B: a run of the pool, which keeps its model at every stage."""

    study: Study
    folder: Path

    @property
    def name(self) -> str:
        """For people."""
        return "training"

    @property
    def job(self) -> Job:
        """The run, as far as the last stage."""
        widths = ",".join(map(str, self.study.hidden))
        protocol = f"author+step_size={STEP_SIZE}+hidden=[{widths}]+first_point=1000+points_per_decade=1{AS_CURVES}"
        config = protocol_config(protocol, "mnist", method="aevb", n_latent=self.study.n_latent, seed=0)
        shelves = Shelves(self.folder.parents[1])
        status = shelves.own_run(config).status()
        # Where it is to be computed anew, it goes as far as it was.
        samples = max(*self.study.stages, 0 if status is None else status.completed)
        return Job(config, samples, shelves.runs, None, "cpu", command=command_line())

    def model(self, stage: int) -> Path:
        """Where the model of a stage after the start is kept."""
        return self.job.folder.model(stage)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(self.model(stage) for stage in self.study.stages if stage)

    def compute(self) -> None:
        """Go on from where the run is; anew where it went past a stage whose model is lost."""
        job = self.job
        if job.folder.is_done(job.samples):
            job.folder.mark_stale()
        run(job)


def fresh(study: Study, seed: int) -> tuple[GenerativeModel, GaussianEncoder]:
    """Model and encoder with weights from the seed."""
    weights = stream("weights", seed)
    model = BernoulliModel(study.n_latent, 784, study.hidden, generator=weights)
    return model, GaussianEncoder(784, study.n_latent, study.hidden, generator=weights)


def fresh_learner(study: Study, estimator: str, n_samples: int, step_size: float, seed: int, n: int) -> Learner:
    """Learner with weights from the seed that follows that estimator; n training points."""
    model, encoder = fresh(study, seed)
    options = AscentOptions(step_size)
    if estimator in (NAIVE, BASELINE):
        return ScoreFunction(model, encoder, n, options, n_samples=n_samples, with_baseline=estimator == BASELINE)
    bound = {A: lower_bound_a, B: lower_bound_b}[estimator]
    return AEVB(model, encoder, n, options, estimator=bound, n_samples=n_samples)


def draw_batch(train: Tensor, size: int, generator: torch.Generator) -> Batch:
    """Datapoints drawn uniformly with replacement."""
    indices = torch.randint(len(train), (size,), generator=generator)
    return Batch(train[indices], indices)
