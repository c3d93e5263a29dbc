"""Of which networks the gradients are written by hand."""

from torch import nn

from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.fast.decoder import has_fast_decoder
from aevb.fast.layer import is_affine, is_hidden_stack
from aevb.model import GenerativeModel


def has_fast_encoder(encoder: nn.Module | None) -> bool:
    """Gradients are written by hand for this very class with the layers that it makes."""
    return (
        type(encoder) is GaussianEncoder
        and is_hidden_stack(encoder.hidden)
        and all(is_affine(head) for head in (encoder.mean, encoder.log_var))
    )


def demand_by_hand(instead: str, model: GenerativeModel, encoder: nn.Module | None = None) -> None:
    """There are gradients by hand for both; those of another network would be of something that it does not compute.

    Args:
        instead: the learner to take for others.
        model: p(z) p(x|z).
        encoder: q(z|x), if the learner has one.

    Raises:
        ArgumentError: there are none.
    """
    rule = "must be of the project's own class with the layers that this makes"
    if not has_fast_decoder(model):
        raise ArgumentError(f"`model` {rule}, got {type(model).__name__} with other layers or code: use {instead}")
    if encoder is not None and not has_fast_encoder(encoder):
        raise ArgumentError(f"`encoder` {rule}, got {type(encoder).__name__} with other layers or code: use {instead}")
