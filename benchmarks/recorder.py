"""The operations of a step, recorded with the very tensors that they work on, and what each is for."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from aevb.fast.products import products_told

ROOT = Path(__file__).resolve().parents[1]
# By what an operation is.
BY_NAME = {
    **dict.fromkeys(("mm", "matmul", "addmm", "bmm", "baddbmm"), "products"),
    **dict.fromkeys(("index_select", "index", "index_put_", "_index_put_impl_"), "gathering"),
    **dict.fromkeys(("randn", "rand", "randint", "normal_", "uniform_", "random_", "bernoulli_"), "noise"),
}
# By the file that asks for it.
BY_FILE = {
    "aevb/fast/activation.py": "activations",
    "aevb/fast/layer.py": "biases",
    "aevb/ascent.py": "Adagrad",
    "aevb/fast/decoder.py": "bound",
    "aevb/fast/encoder.py": "bound",
    "aevb/fast/aevb.py": "bound",
    "aevb/fast/unseen.py": "bound",
    "aevb/fast/log_of_product.py": "bound",
    "baselines/fast_wake_sleep.py": "bound",
    "aevb/fast/posterior.py": "chains",
    "aevb/densities.py": "chains",
    "aevb/hmc.py": "chains",
    "aevb/tuning.py": "chains",
    "baselines/mcem.py": "chains",
    "baselines/fast_mcem.py": "chains",
}
# They compute nothing: memory that is asked for, or a number that Python reads.
NO_WORK = ("empty", "new_empty", "empty_like", "detach", "_local_scalar_dense", "item", "arange")


@dataclass(frozen=True)
class Operation:
    """What torch or NumPy was asked for: a kind of `KINDS`, or "" for none, and the call with its tensors or arrays."""

    kind: str
    function: Any
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    result: Any

    def call(self) -> Callable[[], Any]:
        """What asks for it again, by the same door as Python code does where there is one; it is tried once."""
        if not isinstance(self.function, OpOverload):
            return partial(self.function, *self.arguments)
        name = self.function._schema.name.partition("::")[2]
        for home in (torch, torch.Tensor):
            if door := getattr(home, name, None):
                again = partial(door, *self.arguments, **self.named)
                with suppress(TypeError):
                    again()
                    return again
        return partial(self.function, *self.arguments, **self.named)


class Recorder(TorchDispatchMode):
    """Within the block, every operation that computes something is kept in `operations`."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self._products = products_told(
            lambda multiply, *arrays: self.operations.append(Operation("products", multiply, arrays, {}, None))
        )

    def __enter__(self) -> "Recorder":
        """Begin; NumPy's products go by one door."""
        self._products.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        """End."""
        super().__exit__(*error)
        self._products.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do it, and keep it."""
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if not func.is_view and name not in NO_WORK:
            kind = BY_NAME.get(name) or BY_FILE.get(_asked_by(), "")
            self.operations.append(Operation(kind, func, args, kwargs or {}, result))
        return result


def _asked_by() -> str:
    """The file of the project, but for the benchmarks, that is nearest to the operation."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and (name := path.relative_to(ROOT).as_posix()).startswith(("aevb/", "baselines")):
            return name
        frame = frame.f_back  # type: ignore[assignment]
    return ""
