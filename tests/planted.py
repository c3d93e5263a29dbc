"""Faults as text: a function's source with one piece replaced, put in the place of the function while a block runs."""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType

from aevb.data import array, mnist


@contextmanager
def planted(where: str, right: str, wrong: str) -> Iterator[None]:
    """In the function `where`, "module:Class.function", `wrong` stands for `right`, whoever has imported it."""
    function = _function(where)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) == 1, f"{where} has {source.count(right)} times {right!r}"
    names = dict(function.__globals__)
    exec(compile(source.replace(right, wrong), where, "exec"), names)
    before, function.__code__ = function.__code__, inspect.unwrap(names[function.__name__]).__code__
    _forget_data()
    try:
        yield
    finally:
        function.__code__ = before
        _forget_data()


def _function(where: str) -> FunctionType:
    module, _, path = where.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.unwrap(getattr(found, name))
    assert isinstance(found, FunctionType)
    return found


def _forget_data() -> None:
    mnist._dataset.cache_clear()
    array._load.cache_clear()
