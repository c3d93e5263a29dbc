"""Trained models from the store, for figures 4 and 5, the demos and the report."""

from dataclasses import dataclass, replace

from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.model import GenerativeModel
from harness.experiments.config import Config
from harness.figures.plan import Plan, Request
from harness.runs.build import build_model
from harness.runs.streams import stream
from harness.store.checksums import Damaged
from harness.store.find import find_run, model_runs, state_of
from harness.store.run_folder import RunFolder
from harness.store.tensors import load_saved


@dataclass(frozen=True)
class Trained:
    """What came of a finished run: p(z) p(x|z) and q(z|x), on the CPU and without gradients of their parameters."""

    config: Config
    folder: RunFolder
    model: GenerativeModel
    encoder: GaussianEncoder


def reuse(plan: Plan, request: Request) -> Plan:
    """The plan with its runs where they are done already, figure 2's among them; what is left has a place of its own.

    With force, all are to be computed in that place, and figure 2 keeps its runs.
    """
    jobs = []
    for job in plan.jobs:
        found = None if request.force else find_run(request.results, request.scale.name, job.config)
        root = found.path.parent if found else model_runs(request.results, request.scale.name)
        jobs.append(replace(job, root=root, for_model=True))
    return replace(plan, jobs=jobs)


def load_trained(folder: RunFolder) -> Trained:
    """The model and the encoder of a finished run.

    Raises:
        UserError: the run has no such end, or its checkpoint is damaged.
    """
    config = folder.config
    if (end := state_of(folder)) != "finished":
        raise UserError(
            f"a model must be trained to the end; {config.name}: {end}; choose another --seed or --protocol"
        )
    try:
        state = load_saved(folder.checkpoint)["learner"]
        n_pixels = len(state["model"]["output.bias"])
        initial = stream("weights", config.seed)  # all of which the checkpoint replaces
        model = build_model(config, n_pixels, initial)
        encoder = GaussianEncoder(
            n_pixels, config.n_latent, config.hidden, log_var_factor=config.encoder_log_var_factor, generator=initial
        )
        model.load_state_dict(state["model"])
        encoder.load_state_dict(state["encoder"])
    except Damaged as error:
        raise UserError(f"a checkpoint must be whole; {error}; what trains models mends it") from error
    except (FileNotFoundError, KeyError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"a checkpoint must be of this version; {folder.checkpoint}: {reason}; compute the run anew with --force"
        ) from error
    return Trained(config, folder, model.requires_grad_(False), encoder.requires_grad_(False))
