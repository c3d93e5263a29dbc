"""A CUDA device that is not there: shapes, types and devices of what it would compute, and its traffic with the host.

Tensors on the host are real, those on "cuda" are torch's FakeTensors, which have no values. What is read back from the
device is made up (½, 0, True, all alike) and counted by the function of the project that asks for it; so is what is
sent there. An operation between devices raises, as it does on a GPU, and so does, while a graph is recorded, whatever
would wait for the device, send to it or draw from a generator that the graph does not know.
"""

import contextlib
import ctypes
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from tests.support import ROOT

DEVICE = torch.device("cuda:0")
PACKAGES = ("aevb", "baselines", "harness", "benchmarks")
aten, prim = torch.ops.aten, torch.ops.prim
# What takes a number that lies on the host among tensors of the device: torch says so for operations of two operands,
# for copies and for `where`. Others, `addcmul` for one, refuse it, which a FakeTensor does not know.
TAKES_HOST_NUMBERS = {
    *("add", "sub", "rsub", "mul", "div", "maximum", "minimum", "pow", "atan2", "logaddexp", "remainder", "where"),
    *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "copy", "fill", "masked_fill", "index_put"),
    *("_to_copy", "bitwise_and", "bitwise_or"),
}
MADE_UP: dict[bool, float] = {True: 0.5, False: 0}  # for numbers with a fraction and for those without


class Rehearsal(TorchDispatchMode):
    """Within the block "cuda" is such a device, in torch's own calls too; what a graph records is run once.

    Attributes:
        reads: how often each function, "aevb/checks.py pixels", has read from the device or waited for its values.
        uploads: how often each has sent a tensor there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self.capturing = False
        self._generators: set[int] = set()  # those of the device, by where they lie: operations get others of no class
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._patches = contextlib.ExitStack()

    def __enter__(self) -> "Rehearsal":
        _give_the_device_a_guard()
        self._lifted = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # a tensor from numbers is made on the host and sent
        for target, name, value in self._stand_ins():
            self._patches.enter_context(mock.patch.object(target, name, value))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._patches.close()
        torch._C._set_only_lift_cpu_tensors(self._lifted)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is prim.device.default:
            return args[0].fake_device
        asked = kwargs.get("device")
        if asked is not None and torch.device(asked).type in (
            "cuda",
            "meta",
        ):  # a borrowed guard takes one for the other
            kwargs = kwargs | {"device": DEVICE}
        leaves = [*_tensors(args), *_tensors(kwargs.values())]
        ours = [leaf for leaf in leaves if isinstance(leaf, FakeTensor)]
        target = torch.device(kwargs.get("device") or (ours or leaves or [torch.empty(0)])[0].device)
        self._check_generator(kwargs.get("generator"), target)
        if not ours and target.type != "cuda":
            return func(*args, **kwargs)
        answer = self._read(func, args, target)
        if answer is not None:
            return answer
        name = func.overloadpacket.__name__.rstrip("_")
        host = [leaf for leaf in leaves if not isinstance(leaf, FakeTensor)]
        if name in ("_to_copy", "copy") and host:
            self._note(self.uploads, "sent a tensor to the device")
            if name == "_to_copy":
                dtype = kwargs.get("dtype") or args[0].dtype
                with self._fake:
                    return torch.empty_strided(args[0].shape, args[0].stride(), dtype=dtype, device=DEVICE)
        elif host and not (name in TAKES_HOST_NUMBERS and all(leaf.ndim == 0 for leaf in host)):
            shapes = ", ".join(str(tuple(leaf.shape)) for leaf in host)
            raise RuntimeError(f"{name}: expected all tensors on {DEVICE}, got some on the host, of shape {shapes}")
        with self._fake:
            return self._into(func, args, kwargs) if _outputs(func) else func(*args, **kwargs)

    def _into(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What an operation makes in tensors that are given to it, which have to be as those that it would make.

        Torch remembers what operations make, but not into what: it would work that out anew each time.
        """
        names = _outputs(func)
        given = [kwargs[name] for name in names]
        made = func.overloadpacket(*args, **{name: value for name, value in kwargs.items() if name not in names})
        for one, other in zip(given, [made] if len(names) == 1 else made, strict=True):
            if one.numel() and (one.shape, one.dtype) != (other.shape, other.dtype):
                raise RuntimeError(f"{func}: made {other.dtype} {other.shape}, to be {one.dtype} {one.shape}")
        if all(one.numel() for one in given):
            return given[0] if len(names) == 1 else tuple(given)
        return func(*args, **kwargs)  # gives an empty one its shape

    def _read(self, func: Any, args: Any, target: torch.device) -> Any:
        """The made-up answer of what reads from the device; None where nothing does."""
        if func is aten._local_scalar_dense.default:
            answer: Any = True if args[0].dtype == torch.bool else MADE_UP[args[0].dtype.is_floating_point]
        elif func is aten.equal.default:
            answer = True
        elif func is aten._to_copy.default and target.type == "cpu":
            answer = torch.zeros(args[0].shape, dtype=args[0].dtype)
        elif func is aten.copy_.default and not isinstance(args[0], FakeTensor):
            answer = args[0]
        elif func is aten.index.Tensor and args[1][0] is not None and args[1][0].dtype == torch.bool:
            with self._fake:
                answer = args[0].clone().flatten(0, args[1][0].ndim - 1)  # as if all were chosen
        else:
            return None
        self._note(self.reads, "waited for a value of the device")
        return answer

    def _note(self, counter: Counter[str], what: str) -> None:
        where = _caller()
        if self.capturing:
            raise RuntimeError(f"{where} {what} while a graph is recorded")
        counter[where] += 1

    def _check_generator(self, generator: torch.Generator | None, target: torch.device) -> None:
        if generator is None:
            return
        kind = "cuda" if generator._cdata in self._generators else "cpu"  # type: ignore[attr-defined]
        if kind != target.type:
            raise RuntimeError(f"expected a {target.type} generator, got one for {kind}")
        if self.capturing:
            raise RuntimeError(f"{_caller()} drew from a generator that the graph does not know")

    def _stand_ins(self) -> Iterator[tuple[Any, str, Any]]:
        """What torch's own calls become: target, name and value."""
        mode = self

        class Generator(_GENERATOR):  # type: ignore[misc, valid-type]
            def __new__(cls, device: torch.device | str = "cpu") -> Any:
                self = super().__new__(cls)
                (mode._generators.add if torch.device(device).type == "cuda" else mode._generators.discard)(self._cdata)
                return self

            @property
            def device(self) -> torch.device:
                return DEVICE if self._cdata in mode._generators else torch.device("cpu")

            def set_state(self, state: Tensor) -> Any:
                if isinstance(state, FakeTensor):
                    raise TypeError("a generator's state must lie on the host")
                return self if self.device == DEVICE else super().set_state(state)  # its state was made up

        class CUDAGraph:
            def replay(self) -> None:
                pass

        @contextlib.contextmanager
        def graph(_: CUDAGraph, **how: object) -> Iterator[None]:
            mode.capturing = True
            try:
                yield
            finally:
                mode.capturing = False

        def wait(_: object = None) -> None:
            if mode.capturing:
                raise RuntimeError(f"{_caller()} waited for the device while a graph is recorded")

        def save(content: Any, file: Any) -> None:
            _SAVE(tree_map(lambda leaf: leaf.cpu() if isinstance(leaf, FakeTensor) else leaf, content), file)

        def load(file: Any, map_location: Any = None, **how: Any) -> Any:
            content = _LOAD(file, map_location="cpu", **how)
            moved = torch.device(map_location or "cpu")
            return tree_map(lambda leaf: leaf.to(moved) if isinstance(leaf, Tensor) else leaf, content)

        yield torch, "Generator", Generator
        yield torch, "save", save
        yield torch, "load", load

        def swap(one: Tensor, other: Tensor) -> None:
            mode._fake.fake_tensor_converter.meta_converter.tensor_memo.clear()  # what is remembered cannot be swapped
            _SWAP(one, other)

        yield torch.utils, "swap_tensors", swap
        yield torch.autograd, "grad", _gradients
        yield torch.autograd, "backward", _backward
        yield FakeTensor, "tolist", lambda self: self.cpu().tolist()
        yield torch.cuda, "_lazy_init", lambda: None
        yield torch.cuda, "CUDAGraph", CUDAGraph
        yield torch.cuda, "graph", graph
        yield torch.cuda, "synchronize", wait
        yield torch.cuda, "is_current_stream_capturing", lambda: mode.capturing
        yield torch.cuda, "get_device_name", lambda _=None: "no device"
        yield torch.cuda, "max_memory_allocated", lambda _=None: 0
        yield torch.cuda, "reset_peak_memory_stats", lambda _=None: None


def traffic(call: Callable[[], object], mode: Rehearsal) -> tuple[Counter[str], Counter[str]]:
    """What a call reads and sends."""
    reads, uploads = mode.reads.copy(), mode.uploads.copy()
    call()
    return mode.reads - reads, mode.uploads - uploads


@cache
def _outputs(func: Any) -> tuple[str, ...]:
    """The names of the tensors that it is given to write into and nothing else."""
    return tuple(argument.name for argument in func._schema.arguments if argument.is_out)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _caller() -> str:
    """The innermost function of the project: file and name."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        inner = frame.f_code.co_name.startswith("<")  # a generator expression or the like
        if not inner and path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
            return f"{path.relative_to(ROOT).as_posix()} {frame.f_code.co_name}"
    return "elsewhere"


def _leaves(function: Any) -> list[Tensor]:
    """The tensors whose gradients the graph behind a result leads to."""
    found, seen, left = [], set(), [function]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        left += [after for after, _ in node.next_functions]
    return found


def _gradients(output: Tensor, inputs: Any, **_: Any) -> tuple[Tensor, ...]:
    """Autograd's backward pass cannot be had without a device: gradients are shapes, where the graph leads."""
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    reached = {id(leaf) for leaf in _leaves(output.grad_fn)}
    if output.ndim or not all(id(each) in reached for each in wanted):
        raise RuntimeError("a gradient is that of a number, with respect to what it was computed from")
    return tuple(torch.empty_like(each.detach()) for each in wanted)


def _backward(output: Tensor, *_: Any, **__: Any) -> None:
    for leaf in _leaves(output.grad_fn):
        leaf.grad = torch.empty_like(leaf.detach())


def _give_the_device_a_guard() -> None:
    """Torch for the CPU has nothing that switches to a CUDA device and raises where it is to; "meta" has, for nothing.

    Torch for CUDA has a guard that does nothing, for where there is no device.
    """
    if torch.version.cuda is not None:
        torch._C._ensureCUDADeviceGuardSet()
        return
    (path,) = (Path(torch.__file__).parent / "lib").glob("libc10.*")
    library = ctypes.CDLL(str(path))
    kinds = torch.autograd.DeviceType  # type: ignore[attr-defined]
    cuda, meta = int(kinds.CUDA), int(kinds.Meta)
    guards = (ctypes.c_void_p * (meta + 1)).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    guards[cuda] = guards[cuda] or guards[meta]


_GENERATOR, _SAVE, _LOAD, _SWAP = torch.Generator, torch.save, torch.load, torch.utils.swap_tensors
