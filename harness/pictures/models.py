"""Trained models from the store, for figures 4 and 5, the demos and the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from aevb import trained
from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.model import GenerativeModel
from aevb.places import is_place
from harness.experiments.config import Config
from harness.figures.compare import scientific
from harness.figures.plan import Plan
from harness.figures.request import Request
from harness.runs.build import build_model
from harness.store.checksums import Damaged
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel, state_of
from harness.store.tensors import is_whole, load_saved


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


def _own_decoder(config: Config, content: Mapping[str, Any]) -> Callable[[], GenerativeModel] | None:
    """What makes a decoder by place, which the user's protocol has named; None for those of the project."""
    if not is_place(config.decoder):
        return None
    return lambda: build_model(config, content["n_pixels"], torch.Generator())


def load_trained(kept: KeptModel) -> Trained:
    """What the run has kept.

    Raises:
        UserError: the file is damaged, or holds something else.
    """
    try:
        content = load_saved(kept.path)
        model, encoder = trained.build(content, _own_decoder(kept.folder.config, content))
        if encoder is None:
            raise KeyError("no encoder")
        height, width = content["image_shape"] or (1, model.n_pixels)
    except Damaged as error:
        raise UserError(f"a kept model must be whole; {error}; what trains models mends it") from error
    except (FileNotFoundError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"a kept model must be of this version; {kept.path}: {reason}; compute the run anew with --force"
        ) from error
    return Trained(kept, model, encoder, (height, width), content.get("encoded"))
