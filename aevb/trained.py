"""Trained models in files: a decoder and its encoder with all that is needed to build them again, and nothing else."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from aevb import checks, shipped
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError, DataError, UserError, did_you_mean
from aevb.fast.by_hand import has_fast_encoder
from aevb.fast.decoder import has_fast_decoder
from aevb.layers import ACTIVATIONS
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel

INDEX = "models.json"


class Trained(NamedTuple):
    """A trained model, on the CPU, float32 and without gradients of its parameters.

    Attributes:
        model: p(z) p(x|z).
        encoder: q(z|x); None for an algorithm without one.
        origin: of what run it is, after how many training samples, and what has computed it.
    """

    model: GenerativeModel
    encoder: GaussianEncoder | None
    origin: Mapping[str, Any]


def load_published(
    dataset: str, n_latent: int, *, method: str = "aevb", seed: int = 0, samples: int | None = None
) -> Trained:
    """A model that comes with the project; see `aevb.load`.

    Raises:
        UserError: there is none like this.
        DataError: its file is not what was published.
    """
    checks.whole(1, n_latent=n_latent)
    checks.whole(0, seed=seed, **({} if samples is None else {"samples": samples}))
    for name, value in {"dataset": dataset, "method": method}.items():
        checks.kind(str, "write its name", **{name: value})
    wanted = {"dataset": dataset, "n_latent": n_latent, "method": method, "seed": seed}
    wanted |= {} if samples is None else {"samples": samples}
    models = published_models()
    found = [entry for entry in models if wanted.items() <= entry.items()]
    if not found:
        own = "aevb.trained.build(torch.load(PATH, weights_only=True)), PATH as results/runs/RUN/models/SAMPLES.pt"
        known = "; ".join(", ".join(f"{name} {entry[name]}" for name in wanted) for entry in models)
        got = ", ".join(f"{name} {value}" for name, value in wanted.items())
        raise UserError(
            f"a model must be one of those that come with the project ({known or 'none'}), got {got}: choose one"
            f"{did_you_mean(dataset, {str(entry['dataset']) for entry in models} - {dataset})}"
            f"; one that you trained is read by {own}"
        )
    entry = max(found, key=lambda entry: entry["samples"])
    path = shipped.RESULTS / entry["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} must be readable, got {error.strerror}: install the project again") from error
    if (got := hashlib.sha256(content).hexdigest()) != entry["sha256"]:
        raise DataError(f"{path} must have SHA-256 {entry['sha256'][:12]}…, got {got[:12]}…: install the project again")
    model, encoder = build(torch.load(path, map_location="cpu", weights_only=True))
    return Trained(model, encoder, entry)


def published_models() -> list[dict[str, Any]]:
    """An entry for each model that comes with the project: dataset, n_latent, method, seed, samples, file and more."""
    path = shipped.RESULTS / INDEX
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return entries


def describe(model: GenerativeModel, encoder: nn.Module | None) -> dict[str, Any]:
    """What `build` needs, as plain values and tensors; the tensors are the networks' own.

    Save it with `torch.save`, and read it with ``torch.load(path, weights_only=True)``, as the models that runs keep.
    Of a decoder that is not the project's it is told where its class lies, and `build` needs the decoder itself:
    its layers may be anything, and the widths are those of the encoder.

    Raises:
        ArgumentError: a class of the project's has other layers than it makes, or the encoder is of another class.
    """
    known = type(model) in _KNOWN
    if known and not (has_fast_decoder(model) and _has_its_activation(model)):
        raise ArgumentError(
            f"`model` must have the layers that {type(model).__name__} makes, got others: write a decoder of your own"
        )
    if encoder is not None and not is_described(encoder):
        raise ArgumentError(
            f"`encoder` must be a GaussianEncoder with the layers that it makes, got {type(encoder).__name__} with "
            "others: give None to leave it out"
        )
    content: dict[str, Any] = {
        "n_latent": model.n_latent,
        "n_pixels": model.n_pixels,
        "hidden": _widths(model if known else encoder),
        "activation": model.activation if known else "tanh",
        "decoder": _KNOWN.get(type(model), f"{type(model).__module__}:{type(model).__qualname__}"),
        "model": model.state_dict(),
        "encoder": None,
    }
    if type(model) is GaussianModel:
        content |= {
            "decoder_log_var": model.log_var_input,
            "decoder_log_var_factor": model.log_var_factor,
            "squash_mean": model.squash_mean,
        }
    if isinstance(encoder, GaussianEncoder):
        if (widths := _widths(encoder)) != content["hidden"]:
            content["encoder_hidden"] = widths
        content |= {
            "encoder": encoder.state_dict(),
            "encoder_log_var_factor": encoder.log_var_factor,
            "encoder_activation": encoder.activation,
        }
    return content


_KNOWN: dict[type, str] = {BernoulliModel: "bernoulli", GaussianModel: "gaussian"}


def is_described(encoder: nn.Module | None) -> bool:
    """`describe` can tell all of it."""
    return has_fast_encoder(encoder) and _has_its_activation(encoder)


def _has_its_activation(network: Any) -> bool:
    """The layers' activation is the one that the network names."""
    return all(type(layer) is ACTIVATIONS[network.activation] for layer in network.hidden[1::2])


def _widths(network: nn.Module | None) -> list[int]:
    """Of the hidden layers, where they are a stack."""
    layers = getattr(network, "hidden", None)
    stack = layers if isinstance(layers, nn.Sequential) else ()
    return [layer.out_features for layer in stack if isinstance(layer, nn.Linear)]


@torch.random.fork_rng(devices=[])  # whatever `own` draws, everybody's generator stays where it is
def build(
    content: Mapping[str, Any], own: Callable[[], GenerativeModel] | None = None
) -> tuple[GenerativeModel, GaussianEncoder | None]:
    """The networks that `describe` told of, in float32, in their eval mode and without gradients of their parameters.

    Args:
        content: what it said.
        own: makes a decoder that is not the project's: a file does not choose what is imported.

    Raises:
        KeyError, RuntimeError: it is no such description.
        UserError: there is nothing to make its decoder.
    """
    sizes = content["n_latent"], content["n_pixels"], content["hidden"]
    activation = content.get("activation", "tanh")  # models of older versions have no other
    initial = torch.Generator()  # of weights that are replaced
    model: GenerativeModel
    if content["decoder"] not in _KNOWN.values():
        if own is None:
            raise UserError(
                f"a model from a file must have a decoder of the project's, or one that is given, got "
                f"{content['decoder']}: let code of yours load it"
            )
        model = own()
    elif content["decoder"] == "bernoulli":
        model = BernoulliModel(*sizes, activation=activation, generator=initial)
    else:
        model = GaussianModel(
            *sizes,
            log_var=content["decoder_log_var"],
            log_var_factor=content["decoder_log_var_factor"],
            squash_mean=content["squash_mean"],
            activation=activation,
            generator=initial,
        )
    model.load_state_dict(content["model"])
    encoder = None
    if content["encoder"] is not None:
        n_latent, n_pixels, hidden = sizes
        hidden = content.get("encoder_hidden", hidden)  # said where it is another
        encoder = GaussianEncoder(
            n_pixels,
            n_latent,
            hidden,
            activation=content.get("encoder_activation", "tanh"),
            log_var_factor=content["encoder_log_var_factor"],
            generator=initial,
        )
        encoder.load_state_dict(content["encoder"])
        encoder.requires_grad_(False)
    return model.requires_grad_(False).eval(), None if encoder is None else encoder.eval()


def halved(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same in float16, where every weight has a place there; else as it is.

    Note:
        float16 has 11 bits: a weight moves by at most 2⁻¹¹ of itself, or by 2⁻²⁵ where it is below 6e-5.
    """
    networks = {name: content[name] for name in ("model", "encoder") if content[name] is not None}
    if any(not tensor.half().isfinite().all() for state in networks.values() for tensor in state.values()):
        return dict(content)
    halves = {name: {key: tensor.half() for key, tensor in state.items()} for name, state in networks.items()}
    return {**content, **halves}
