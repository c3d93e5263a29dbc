"""The model that a run has kept, built again."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from aevb import trained
from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.model import GenerativeModel
from aevb.places import is_place
from harness.experiments.config import Config
from harness.runs.build import build_model
from harness.store.checksums import Damaged
from harness.store.own_code import check_own_code
from harness.store.shelves import KeptModel
from harness.store.tensors import load_saved


def read_model(kept: KeptModel) -> tuple[GenerativeModel, GaussianEncoder | None, Mapping[str, Any]]:
    """The decoder, the encoder where there is one, and all that the file says; see `aevb.trained.describe`.

    Raises:
        UserError: the file is damaged, or holds something else, as another run's model, or the user's own decoder is
            no longer what it was.
    """
    config = kept.folder.config
    check_own_code(kept.folder, [config.decoder] if is_place(config.decoder) else [])
    try:
        content = load_saved(kept.path)
        model, encoder = trained.build(content, _own_decoder(config, content))
        _check(config, content)
    except Damaged as error:
        raise UserError(f"a kept model must be whole; {error}; what trains models mends it") from error
    except (FileNotFoundError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"a kept model must be of this version; {kept.path}: {reason}; compute the run anew with --force"
        ) from error
    return model, encoder, content


def _own_decoder(config: Config, content: Mapping[str, Any]) -> Callable[[], GenerativeModel] | None:
    """What makes a decoder by place, which the user's protocol has named; None for those of the project."""
    if not is_place(config.decoder):
        return None
    return lambda: build_model(config, content["n_pixels"], torch.Generator())


def _check(config: Config, content: Mapping[str, Any]) -> None:
    """Refuse another run's model, copied to the place of this one's."""
    if "image_shape" not in content:  # a model that was saved by other means
        raise ValueError("it has no image_shape")
    if content.get("run", config.id) != config.id:  # older ones do not say it
        raise ValueError(f"it is of the run {content['run']}")
    told: dict[str, Any] = {"n_latent": config.n_latent}
    if not is_place(config.decoder):  # the user's own has what layers it likes
        told |= {"hidden": [*config.hidden], "decoder": config.decoder}
    for name, wanted in told.items():
        if content[name] != wanted:
            raise ValueError(f"its {name} is {content[name]!r}, that of the run {wanted!r}")
