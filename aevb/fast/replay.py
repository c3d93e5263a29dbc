"""A learner's steps on a CPU without most of their Python: what one step asked torch for is asked again."""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from aevb.ascent import Ascent
from aevb.fast.products import products_told
from aevb.fast.stack import Stack, Stackable
from aevb.fast.unseen import without_autograd
from aevb.learner import Batch, Noise, StepInfo


class Replay:
    """Takes a learner's steps: the first is the learner's own, the later ones do what that one did, bit for bit.

    A step of a small network spends a tenth of its time in Python, which looks up, at every step, the same operations
    on the same tensors. So this is for `FastAEVB`, `FastWakeSleep` and stacks of them, once they have stepped on a
    batch and their warm-up is over. Another learner must keep to its tensors as they do, and depend on pixels and noise
    alone: not on the batch's indices, the number of steps or what NumPy is shown. One that reads a value back through
    torch is noticed, and goes on with steps of its own. After `load_state_dict` make another.

    Args:
        learner: with an encoder and gradients by hand, or a stack of such.

    Attributes:
        x: where pixels are to lie; a batch that has them elsewhere is copied there. None before the first step.
        refused: what the learner's step asked for that cannot be done again; "" where all can.
    """

    def __init__(self, learner: Stackable | Stack) -> None:
        self._learner = learner
        self.x: Tensor | None = None
        self._given: list[Tensor] = []
        self._calls: list[Callable[[], object]] = []
        self.refused = ""

    def __getstate__(self) -> dict[str, Any]:
        """For a copy, which records a step of its own."""
        return {**vars(self), "x": None, "_calls": []}

    @property
    def model(self) -> Any:
        """The learner's."""
        return self._learner.model

    @property
    def ascents(self) -> Sequence[Ascent]:
        """The learner's."""
        return self._learner.ascents

    @without_autograd
    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """See `Learner.step`; noise must be given."""
        assert noise is not None
        given = [batch.x, noise.normal] if noise.pixels is None else [batch.x, noise.normal, noise.pixels]
        if self.x is None:
            return self._record(given, batch, generator)
        if self.refused or any(map(_differ, self._given, given)):
            return self._learner.step(batch, generator, noise)
        for own, tensor in zip(self._given, given, strict=True):
            if own is not tensor:
                own.copy_(tensor)
        for call in self._calls:
            call()
        for ascent in self.ascents:
            ascent.steps += 1
        return StepInfo(self._bound.clone(), self._samples)

    def _record(self, given: Sequence[Tensor], batch: Batch, generator: torch.Generator) -> StepInfo:
        own = [tensor.clone() for tensor in given]
        with _Recorder() as recorder:
            info = self._learner.step(Batch(own[0], batch.indices), generator, Noise(*own[1:]))
        assert info.bound is not None
        self._given, self._calls, self.refused = own, recorder.calls, recorder.refused
        self._bound, self._samples = info.bound, info.samples
        self.x = own[0]
        return StepInfo(info.bound.clone(), info.samples)


class _Recorder(TorchFunctionMode):
    """Within the block everything that changes a tensor is kept, so that it can be done again.

    Attributes:
        calls: in their order.
        refused: the name of what cannot be done again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], object]] = []
        self.refused = ""
        self._products = products_told(lambda multiply, *arrays: self.calls.append(partial(multiply, *arrays)))

    def __enter__(self) -> "_Recorder":
        self._products.__enter__()
        return super().__enter__()

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        super().__exit__(*error)
        self._products.__exit__(*error)  # type: ignore[arg-type]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func.__name__.partition(".")[0]
        if name in NO_WORK:
            return result
        results = list(result) if isinstance(result, list | tuple) else [result]
        in_place = (name.endswith("_") and not name.endswith("__")) or (args and result is args[0])
        if result is None or in_place or any(kwargs.get(name) is not None for name in OUT):
            self.calls.append(_bound(func, args, kwargs))
        elif not all(isinstance(each, Tensor) for each in results):
            self.refused = self.refused or name
        elif name in TAKE_OUT and len(args) > 1:
            self.calls.append(partial(getattr(torch, name), *args, **{**kwargs, "out": result}))
        elif not all(_shares_memory(each, args) for each in results):
            self.calls.append(partial(_do_into, results, func, args, kwargs))
        return result


# They compute nothing: what a tensor is like, or torch's modes.
NO_WORK = ("__get__", "__len__", "size", "dim", "numel", "numpy", "stride", "is_inference", "_set_grad_enabled")
OUT = ("out", "grad_input")
TAKE_OUT = ("add", "sub", "mul", "sum", "mean")


def _differ(one: Tensor, other: Tensor) -> bool:
    return one.shape != other.shape or one.dtype != other.dtype


def _bound(func: Any, args: Any, kwargs: Any) -> Callable[[], object]:
    """A method is found faster at its tensor."""
    name = func.__name__
    if getattr(torch.Tensor, name, None) is func:
        return partial(getattr(args[0], name), *args[1:], **kwargs)
    return partial(func, *args, **kwargs)


def _do_into(results: Sequence[Tensor], func: Any, args: Any, kwargs: Any) -> None:
    """Later operations read what the first call left."""
    again = func(*args, **kwargs)
    for result, new in zip(results, again if isinstance(again, list | tuple) else [again], strict=True):
        result.copy_(new)


def _shares_memory(result: Tensor, args: Any) -> bool:
    place = result.untyped_storage().data_ptr()
    return any(isinstance(each, Tensor) and each.untyped_storage().data_ptr() == place for each in args)
