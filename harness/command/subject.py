"""What `aevb evaluate` is to evaluate: a model, q(z|x) where there is one, and datapoints."""

import inspect
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb.checks import weights
from aevb.data import NAMES, DatasetUnavailable, load_dataset
from aevb.data.array import check_real, near_file, read_arrays
from aevb.data.frey_face import BY_VARIABLE, REMEDY
from aevb.errors import DataError, UserError, one_line
from aevb.evaluation import Q
from aevb.joint import ROWS, Joint
from aevb.marginal.proposal import as_density
from aevb.model import GenerativeModel
from aevb.places import is_place, load_place, strangers_code
from harness.runs.build import load, prepare
from harness.runs.job import source
from harness.runs.kept import read_model
from harness.runs.verify import find_runs
from harness.store.shelves import KeptModel, Shelves

POINTS = 20  # datapoints at most where nobody said how many
TRIED = 20  # datapoints that are looked at before all are evaluated
ALONE = 1e-3  # relative: more than float32's rounding makes of a sum over pixels
Subject = tuple[GenerativeModel, Q | None, Tensor]


def from_place(place: str, data: str | None, points: int | None) -> Subject:
    """The user's own model, its q, and the first points of the data (see `read_points`), in the model's type.

    Raises:
        UserError: one of them is not to be had, or log p(x, z) is no differentiable function of z.
    """
    if data is None:
        raise UserError(f"a model by place must have data, got {place} alone: name some with --data")
    found: Any = load_place(place, "MODEL", "name")
    if isinstance(found, type) or not (hasattr(found, "log_joint") or isinstance(found, (nn.Module, tuple))):
        with strangers_code(
            lambda what: UserError(
                f"MODEL must be a model, or what makes one without arguments; {place} raised {what}: give its "
                "arguments defaults"
            )
        ):
            found = found()
    model, q = found[:2] if isinstance(found, tuple) and len(found) > 1 else (found, None)
    x = read_points(data, points)
    if not isinstance(model, GenerativeModel) and not (
        hasattr(model, "log_joint") and isinstance(getattr(model, "n_latent", None), Integral)
    ):
        raise UserError(
            f"a model must have log_joint(x, z) and n_latent, a whole number; {place} gave a "
            f"{type(model).__name__} without: define both"
        )
    for module in _modules(found, model, q):
        module.eval()
    if not isinstance(model, Joint) and getattr(type(model), "log_joint", None) is not GenerativeModel.log_joint:
        model = Joint(model.log_joint, int(model.n_latent), x.shape[1])  # its prior may be any
    dtype = weights(model).dtype
    if dtype not in (torch.float32, torch.float64):
        raise UserError(f"a model must be of float32 or float64, {place} is of {dtype}: call its float()")
    x = x.to(dtype)
    _try_joint(model, x, place)
    if q is not None:
        _try_q(model, q, x, place)
    return model, q, x


def _modules(*parts: object) -> Iterator[nn.Module]:
    """Those that these are, are methods of, keep as attributes, or name in their code."""
    for part in parts:
        owner = getattr(part, "__self__", part)
        known = [owner, *getattr(owner, "__dict__", {}).values()]
        with suppress(TypeError, ValueError):  # it is no function, or names what has no value yet
            named = inspect.getclosurevars(part)  # type: ignore[arg-type]
            known += [*named.nonlocals.values(), *named.globals.values()]
        yield from (each for each in known if isinstance(each, nn.Module))


def _try_joint(model: GenerativeModel, x: Tensor, place: str) -> None:
    """Find out now what log p(x, z) would do to the estimators: for any leading axes of z, and wherever z is."""
    x, noise, apart = x[:TRIED], torch.Generator().manual_seed(0), 0.0
    finite = torch.zeros(len(x), dtype=torch.bool)
    for leading in ((2,), (100,), ()):
        z = torch.randn(*leading, len(x), model.n_latent, dtype=x.dtype, generator=noise).requires_grad_()
        with strangers_code(
            lambda what, z=z, leading=leading: UserError(  # type: ignore[misc]
                f"log p(x, z) must be a differentiable function of z; for x {tuple(x.shape)} and z {tuple(z.shape)} "
                f"{place} raised {what}: {ROWS if leading else 'let x broadcast'}, and detach nothing"
            )
        ):
            value, likelihood = model.log_joint(x, z), model.log_likelihood(x, z)
            torch.autograd.grad(value.sum(), z)
            again = model.log_joint(x, z).detach()
            alone = model.log_joint(x[:1], z[..., :1, :]).detach()
        if likelihood.shape != z.shape[:-1]:
            raise UserError(
                f"log p(x|z) must be a number for each z, of shape {tuple(z.shape[:-1])}, got "
                f"{tuple(likelihood.shape)} of {place}: sum over the last axis alone"
            )
        if value.dtype != x.dtype:
            raise UserError(
                f"log p(x, z) must be of the model's type, {x.dtype}, got {value.dtype} of {place}: convert neither"
            )
        value = value.detach()
        if bool(value.isnan().any()) or bool((value == math.inf).any()):
            wrong = "NaN" if bool(value.isnan().any()) else "infinity"
            raise UserError(
                f"log p(x, z) must be a number, or −∞ where z cannot be, got {wrong} of {place}: look for a log or a "
                "root of what is not positive"
            )
        finite |= value.isfinite().reshape(-1, len(x)).any(0)
        apart = max(apart, float((again - value)[value.isfinite()].abs().max()) if bool(value.isfinite().any()) else 0)
    if apart > 0:
        raise UserError(
            f"log p(x, z) must be the same at every call, got two of {place} {apart:.2g} nats apart: draw nothing in it"
        )
    _check_alone(value[..., :1], alone, f"log p(x, z) of {place}")  # of the last leading axes
    if not bool(finite.all()):
        raise UserError(
            f"log p(x, z) must be finite at some z near 0, where chains start; {place} gave −∞ at all of 103 draws for "
            f"{int((~finite).sum())} of {len(x)} points: choose a z that has the whole space"
        )


def _try_q(model: GenerativeModel, q: Q, x: Tensor, place: str) -> None:
    """Find out now whether q(z|x) is a Gaussian that can be drawn from."""
    with strangers_code(lambda what: UserError(f"q must be a function of x; that of {place} raised {what}: mend it")):
        as_density(q(x), (len(x), model.n_latent), x)
        with torch.no_grad():
            one, other, alone = (_moments(q, x[rows], model) for rows in (slice(TRIED), slice(TRIED), slice(1)))
    if not torch.equal(one, other):
        raise UserError(f"q must be the same at every call, got two of {place}: draw nothing in it")
    _check_alone(one[:, :1], alone, f"q of {place}")


def _moments(q: Q, x: Tensor, model: GenerativeModel) -> Tensor:
    """Two points of q for each datapoint, which tell it from another."""
    density = as_density(q(x), (len(x), model.n_latent), x)
    return torch.stack([density.at(x.new_full((1, len(x), model.n_latent), value))[0] for value in (0.0, 1.0)])


def _check_alone(together: Tensor, alone: Tensor, what: str) -> None:
    """What a datapoint gets must not depend on its company, as by a batch's mean it does."""
    apart = (together - alone)[together.isfinite() & alone.isfinite()].abs()
    if apart.numel() and bool(apart.max() > ALONE * (1 + together[together.isfinite()].abs().max())):
        raise UserError(
            f"{what} must not depend on the other datapoints, got {float(apart.max()):.2g} between a point alone and "
            f"one of {TRIED}: put batch norm in its eval mode"
        )


def from_run(name: str, data: str | None, points: int | None, results: Path, decoder: str | None = None) -> Subject:
    """A stored run's latest model, its encoder, and its own first test points, or those of other data (`read_points`).

    For a run on Frey Face `data` may also be the folder where to look for that. A decoder of the user's must be named:
    a stored file does not choose what is imported.

    Raises:
        UserError: there is no such run, or no model, or it needs data that were not named.
    """
    (folder,) = find_runs(Shelves(results), [name])
    config, kept = folder.config, folder.model_samples()
    if not kept:
        raise UserError(f"a run must have kept a model to be evaluated, {folder.path.name} has none: train it")
    if is_place(config.decoder) and decoder != config.decoder:
        raise UserError(f"{config.name} is of code of yours, {config.decoder}: name it with --decoder {config.decoder}")
    if decoder is not None and not is_place(config.decoder):
        raise UserError(f"--decoder is for a run whose decoder is yours; that of {config.name} is ours: leave it out")
    model, encoder, _ = read_model(KeptModel(folder, kept[-1]))
    if config.data_sha256 and data is None:
        raise UserError(f"{config.name} is on data of yours: name them with --data {config.dataset}")
    if config.data_sha256 or data is None or (config.dataset == "frey_face" and _is_folder(data)):
        run_data = prepare(config, load(config, source(data) if data else None), torch.device("cpu"))
        x = run_data.test_points[: _number(points, len(run_data.test_points), config.name)]
    else:
        x = read_points(data, points).float()
    whose = ", published with the project" if folder.published else ""
    print(f"{config.name}, {kept[-1]:,} training samples{whose}")
    return model, encoder, x


def _is_folder(data: str) -> bool:
    """It is there, and not meant as a dataset's name."""
    return data not in NAMES and os.path.isdir(os.path.expanduser(data))


def _number(points: int | None, there: int, whose: str) -> int:
    """How many datapoints to take: as many as was said, else at most 20.

    Raises:
        DataError: there are fewer than was said.
    """
    if points is not None and points > there:
        raise DataError(
            f"--points must be at most the number of rows, or test points, of {whose}, {there:,}, got {points:,}: give "
            "fewer"
        )
    return points or min(POINTS, there)


def read_points(data: str, points: int | None) -> Float[Tensor, "n pixel"]:
    """The first rows of a .npy file, which may be any numbers; of any other dataset the first test points.

    Args:
        data: as --data names it.
        points: how many; None for 20, or as many as there are.

    Raises:
        DataError: there are none, or not so many, to be had.
    """
    if not data.endswith(".npy"):
        try:
            test = load_dataset(data).test
        except DatasetUnavailable as error:  # --data is the dataset here
            raise DataError(str(error).replace(REMEDY, BY_VARIABLE)) from error
        return test[: _number(points, len(test), data)]
    path = Path(os.path.expanduser(data))
    if not path.exists():
        raise DataError(f"--data must name a file that is there, got {path}: correct the path{near_file(path)}")
    try:
        (rows,) = read_arrays(path).values()
        check_real(rows, data)
        there = len(rows)
        rows = rows[: points or POINTS]
        x = torch.as_tensor(rows.reshape(len(rows), math.prod(rows.shape[1:])).astype(np.float64))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"--data must be a .npy file of numbers; {data}: {one_line(error)}: use numpy.save") from error
    except DataError as error:
        raise DataError(f"--data must be a .npy file of numbers; {error}") from error
    if not x.numel() or not bool(x.isfinite().all()):
        bad = [str(row) for row in (~x.isfinite().all(1)).nonzero().flatten()[:3].tolist()] if x.numel() else []
        got = f"others in row {', '.join(bad)} (from 0)" if bad else f"shape {tuple(x.shape)}"
        raise DataError(f"--data must have rows of finite numbers, got {got} of {data}: choose other rows")
    return x[: _number(points, there, data)]
