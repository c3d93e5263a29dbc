"""Monte Carlo EM, the paper's baseline without an encoder."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aevb import checks, construction, hmc, tuning
from aevb.ascent import Ascent, AscentOptions
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.fast.posterior import posterior
from aevb.learner import Batch, LearnerState, Noise, StepInfo, sizes
from aevb.model import GenerativeModel


class MonteCarloEM(LearnerState):
    """E: one HMC move of every training point's own chain. M: a few Adagrad steps on log p(x|z) at those z.

    The paper's algorithm: every step takes the whole training set, Σₙ log p(xₙ|zₙ) is summed over all N points, and the
    prior on θ has weight 1. The chains persist from step to step, so that each follows its posterior as θ moves. The
    one step size of all chains is tuned to acceptance 0.9 forever (`aevb.tuning.tune_global`).

    Source: Kingma & Welling 2013, app. E; persistence and prior draws as starting points as in its author's library.

    Note:
        Adagrad has no warm-up here unless `options` asks for one. It counts weight steps, so that the other learners'
        100 would let θ wait for 20 iterations, 300·N samples of the axis. The paper's figure 3 has no such delay: at
        10⁶ samples of N = 1,000 its training curve is at −139 nats; without warm-up ours is at −138 to −140
        (three seeds), with 100 steps of it at −145 and −147 (two).

    Args:
        model: p(z) p(x|z), with parameters θ.
        n_datapoints: N, size of the training set and number of chains.
        generator: source of the chains' starting points.
        options: how θ climbs.
        n_leapfrog: leapfrog steps of an iteration's one HMC move, as the axis counts them.
        extra_leapfrog: steps beyond them, which it does not count; the paper's first author's library makes 1.
        n_weight_steps: Adagrad steps of an iteration.
        step_size: HMC's, before any tuning.

    Raises:
        ArgumentError: the model is none, or has parameters that take no gradients, or an argument is out of range.
    """

    def __init__(
        self,
        model: GenerativeModel,
        n_datapoints: int,
        generator: torch.Generator,
        options: AscentOptions = AscentOptions(warm_up=0),
        *,
        n_leapfrog: int = 10,
        extra_leapfrog: int = 0,
        n_weight_steps: int = 5,
        step_size: float = 0.01,
    ) -> None:
        construction.learner(model, construction.NO_ENCODER, n_datapoints, 1)
        construction.trainable(model=model)
        checks.whole(1, n_leapfrog=n_leapfrog)
        checks.whole(0, n_weight_steps=n_weight_steps, extra_leapfrog=extra_leapfrog)
        checks.number(0, step_size=step_size)
        self.model = model
        self.encoder: nn.Module | None = None
        self._n_datapoints = n_datapoints
        self._n_leapfrog = n_leapfrog
        self._n_moved = n_leapfrog + extra_leapfrog
        self._n_weight_steps = n_weight_steps
        self._ascent = Ascent(options, theta=model)
        like = next(model.parameters())
        z = standard_normal((n_datapoints, model.n_latent), like, generator)
        self._chains = PersistentChains(z, torch.tensor(step_size, dtype=like.dtype, device=like.device))

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One iteration over the whole training set; counts (10 + 5)·N samples, as the paper's axis does.

        Raises:
            ArgumentError: the batch is not every training point once.
        """
        looked = self._check(batch)
        # Of a GPU's later batches the caller sees to it: a look waits for the device.
        if looked or batch.indices.is_cpu or len(batch.x) != self._n_datapoints:
            self._check_whole(batch)
        z = self._sample(batch.x, batch.indices, generator)
        self._climb(batch.x, z)
        return self._info(batch)

    def _check_whole(self, batch: Batch) -> None:
        n = self._n_datapoints
        if len(batch.x) != n or not batch.indices.sort().values.equal(torch.arange(n, device=batch.indices.device)):
            self._known = frozenset()  # the next batch is looked at again
            raise ArgumentError(
                f"a batch must hold each of the {n} training points once, got {len(batch.x)} rows, "
                f"{len(batch.indices.unique())} of them different: use MinibatchMonteCarloEM for less"
            )

    def _sample(
        self,
        x: Float[Tensor, "batch pixel"],
        indices: Int[Tensor, " batch"],
        generator: torch.Generator,
        first: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch latent"]:
        """Move the chains of these points once, tune the step size, and return where they are.

        Args:
            x: the points.
            indices: their places in the training set.
            generator: source of the moves.
            first: for each row the first one of the same point; None where all points differ.
        """
        chains, log_joint = self._chains, posterior(self.model, x)
        state = hmc.evaluate(log_joint, chains.z[indices])  # θ has moved, so nothing can be carried over
        outcome = hmc.move(log_joint, state, chains.step_size, self._n_moved, generator)
        if first is not None:
            outcome = hmc.Move(
                hmc.State(*(value[first] for value in outcome.state)), *(value[first] for value in outcome[1:])
            )
        chains.step_size = tuning.tune_global(chains.step_size, outcome.accept_probability)
        chains.z[indices] = outcome.state.z
        chains.count(indices, outcome)
        return outcome.state.z

    def _check(self, batch: Batch) -> bool:
        """Chains have places too, which are looked at in every batch on a CPU."""
        looked = super()._check(batch)
        if looked or not (isinstance(batch.indices, Tensor) and batch.indices.is_cuda):  # where a look would wait
            checks.places(batch.indices, len(batch.x), self._n_datapoints)
        return looked

    def _climb(self, x: Float[Tensor, "batch pixel"], z: Float[Tensor, "batch latent"]) -> None:
        for _ in range(self._n_weight_steps):
            self._ascent.step(self.model.log_likelihood(x, z).sum(), prior_scale=len(x) / self._n_datapoints)

    def _info(self, batch: Batch) -> StepInfo:
        return StepInfo(None, (self._n_leapfrog + self._n_weight_steps) * len(batch.x))

    def diagnostics(self) -> dict[str, float]:
        """How the training chains have fared since the last call: see `PersistentChains.summary`."""
        return self._chains.summary()

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "ascent": self._ascent, "chains": self._chains}


class MinibatchMonteCarloEM(MonteCarloEM):
    """Monte Carlo EM with a minibatch for each iteration; not in the paper, whose MCEM is a batch algorithm.

    What differs from `MonteCarloEM`:
        - Only the chains of the batch move. A chain rests for N/M iterations on average, in which θ takes 5N/M steps
          without it, so that it samples a posterior that is already out of date by more than in batch MCEM.
        - A point drawn twice into a batch has one chain, which moves once; its z then counts twice in the gradient.
        - The gradient is the minibatch sum and the prior on θ has weight M/N, as for the other learners.
        - When θ starts to move, most chains have not; a warm-up of W weight steps covers W/5 minibatches only.
        - The step size is tuned once for each minibatch, on the acceptance of its M chains.

    One iteration counts (10 + 5)·M samples.
    """

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One iteration over a minibatch, whose points may repeat.

        Raises:
            ArgumentError: its indices are not places in the training set; on a GPU only of a first batch, as of x.
        """
        self._check(batch)
        # All rows move, and what a repeat did gives way to what the first of its point did, with the first's pixels if
        # they are binarized on the fly. How many points differ only the device knows, and nothing waits for it.
        points, order = batch.indices.sort(stable=True)
        repeats = torch.cat([points.new_zeros(1, dtype=torch.bool), points[1:] == points[:-1]])
        first = torch.arange(len(points), device=points.device).masked_fill_(repeats, 0).cummax(0).values
        z = self._sample(batch.x[order], points, generator, first)
        self._climb(batch.x, z[order.argsort()])
        return self._info(batch)


class PersistentChains:
    """One chain for each training point, the step size that they share, and counts of what their moves did."""

    def __init__(self, z: Float[Tensor, "N latent"], step_size: Float[Tensor, ""]) -> None:
        self.z = z
        self.step_size = step_size
        # For each chain: moves, those accepted, proposals that were not finite, and the sum of accept probabilities.
        self._counts = z.new_zeros(4, len(z))

    def count(self, indices: Int[Tensor, " batch"], outcome: hmc.Move) -> None:
        """Add a move of these chains; rows of one chain have made the same move, which counts once."""
        one = torch.ones_like(outcome.accept_probability)
        did = torch.stack((one, outcome.accepted.to(one), (~outcome.finite).to(one), outcome.accept_probability))
        self._counts[:, indices] += did

    def summary(self) -> dict[str, float]:
        """What the moves since the last call did.

        - training_acceptance: mean accept probability, NaN without moves.
        - training_stuck: chains that were moved and never accepted; their z has not changed.
        - training_non_finite: proposals whose density was not finite.
        """
        moves, accepted, non_finite, probability = self._counts
        result = {
            "training_acceptance": float(probability.sum() / moves.sum()),
            "training_stuck": int(((moves > 0) & (accepted == 0)).sum()),
            "training_non_finite": int(non_finite.sum()),
        }
        self._counts.zero_()
        return result

    def state_dict(self) -> dict[str, Tensor]:
        """Positions, step size and counts, copied, since the chains go on."""
        return {"z": self.z.clone(), "step_size": self.step_size.clone(), "counts": self._counts.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over positions, step size and counts.

        Raises:
            ArgumentError: they are those of another number of points or latents, or not all there.
        """
        if (own := sizes(self.state_dict())) != (got := sizes(state)):
            raise ArgumentError(
                f"the chains must have sizes {own}, got {got}: "
                "load the state of a learner for the same training set and model"
            )
        self.z = state["z"].to(self.z, copy=True)
        self.step_size = state["step_size"].to(self.step_size, copy=True)
        self._counts = state["counts"].to(self._counts, copy=True)
