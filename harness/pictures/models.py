"""Trained models from the store, for figures 4 and 5, the demos and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.model import GenerativeModel
from harness.experiments.config import Config
from harness.figures.compare import scientific
from harness.figures.plan import Plan
from harness.figures.request import Request
from harness.runs.kept import read_model
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel, state_of
from harness.store.tensors import is_whole


@dataclass(frozen=True)
class Trained:
    """A model that a run has kept: p(z) p(x|z) and q(z|x), on the CPU and without gradients of their parameters.

    Attributes:
        kept: of which run, and after how many training samples.
        model: the decoder.
        encoder: the encoder.
        shape: height and width of the images; rows that are none are one pixel high.
        encoded: where q(z|x) puts test points, and the bound of each: see `harness.runs.evaluate.encode`.
    """

    kept: KeptModel
    model: GenerativeModel
    encoder: GaussianEncoder
    shape: tuple[int, int]
    encoded: Mapping[str, Tensor] | None = None

    @property
    def config(self) -> Config:
        """Of its run."""
        return self.kept.folder.config

    @property
    def folder(self) -> RunFolder:
        """The files of its run."""
        return self.kept.folder

    @property
    def age(self) -> str:
        """How long it was trained, and whose it is, in print."""
        end = ", before the run diverged" if state_of(self.folder) == "diverged" else ""
        whose = ", published with the project" if self.folder.published else ""
        return f"{scientific(self.kept.samples)} training samples{end}{whose}"


def to_compute(plan: Plan, request: Request, *, from_published: bool) -> Plan:
    """The plan for models, not curves alone: without the runs whose models are to be had already.

    Args:
        plan: of all runs.
        request: what is to be shown.
        from_published: a model that comes with the project, and is far enough, will do. With force it will not.
    """
    jobs = [replace(job, for_model=True) for job in plan.jobs]
    if from_published and not request.force:
        jobs = [job for job in jobs if not _is_published(job.config, request)]
    return replace(plan, jobs=jobs)


def _is_published(config: Config, request: Request) -> bool:
    kept = request.model_of(config)
    return kept is not None and kept.folder.published and kept.samples >= request.length and is_whole(kept.path)


def load_trained(kept: KeptModel) -> Trained:
    """What the run has kept.

    Raises:
        UserError: the file is damaged, or holds something else.
    """
    model, encoder, content = read_model(kept)
    if encoder is None:
        raise UserError(f"a model to be shown must have an encoder, {kept.path} has none: choose a run of another")
    height, width = content["image_shape"] or (1, model.n_pixels)
    return Trained(kept, model, encoder, (height, width), content.get("encoded"))
