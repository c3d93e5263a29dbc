"""A stranger's loader: what it returns comes back unchanged, and what is none of it is named."""

import sys

import numpy as np
import pytest
import torch

from aevb.data import load_dataset
from aevb.errors import UserError

MODULE = """
import sys

import numpy as np
import torch

rows = np.random.default_rng(0).random((10, 6), dtype=np.float32)

def arrays():
    return rows, rows[:3], (2, 3)

def tensors():
    return torch.as_tensor(rows).double(), torch.as_tensor(rows[:3]), None

def squares():
    return rows.reshape(10, 2, 3), rows[:3].reshape(3, 2, 3), None

def two():
    return rows, rows

def fails():
    raise OSError("the disk is gone")

def shaped():
    return rows, rows, (2, 2)

def large():
    return 255 * rows, rows, None

def wider():
    return rows, rows[:, :5], None

def leaves():
    sys.exit(0)

def raises_its_own():
    class Own(BaseException):
        pass
    raise Own("of its own kind")

def masked():
    return np.ma.masked_greater(rows, 0.9), rows, None

def letters():
    return rows, rows, "23"

def fractions():
    return rows, rows, (2.5, 3.2)

def read_only():
    rows.flags.writeable = False
    return rows, rows[:3], (np.int64(2), 3)

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = f"loaders_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield name
    sys.modules.pop(name, None)


def test_what_it_returns_comes_back(module, tmp_path):
    data, same, squares = (load_dataset(f"{module}:{name}") for name in ("arrays", "tensors", "squares"))
    rows = np.random.default_rng(0).random((10, 6), dtype=np.float32)
    for each in (data, same, squares):
        assert np.array_equal(each.train.numpy(), rows)
        assert np.array_equal(each.test.numpy(), rows[:3])
        assert each.train.dtype == torch.float32
    assert data.name == f"{module}:arrays"
    assert (data.image_shape, same.image_shape, squares.image_shape) == ((2, 3), None, (2, 3))
    np.savez(tmp_path / "same.npz", train=rows, test=rows[:3])
    assert load_dataset(str(tmp_path / "same.npz")).sha256 == data.sha256 == same.sha256


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("two", "must return arrays.*image_shape.*ValueError"),
        ("fails", "OSError: the disk is gone"),
        ("shaped", "image_shape must be.*6 pixels in all.*\\(2, 2\\)"),
        ("large", "values must lie in"),
        ("wider", "one shape"),
        ("number", "must return arrays.*TypeError"),
        ("leaves", "must return arrays.*SystemExit: 0"),
        ("raises_its_own", "must return arrays.*Own: of its own kind"),
        ("masked", "no masked values"),
        ("letters", "image_shape must be.*'23'"),
        ("fractions", "image_shape must be.*2.5, 3.2"),
        ("nothing", "cannot be imported .AttributeError"),
    ],
)
def test_what_is_no_data_is_refused_by_name(module, name, what):
    with pytest.raises(UserError, match=what):
        load_dataset(f"{module}:{name}")


def test_arrays_that_may_not_be_written_are_taken_without_a_word(module):
    data = load_dataset(f"{module}:read_only")
    assert data.image_shape == (2, 3)
    assert np.array_equal(data.train.numpy(), np.random.default_rng(0).random((10, 6), dtype=np.float32))


def test_a_module_that_leaves_is_an_error_not_an_end(module, tmp_path):
    (tmp_path / "leaver.py").write_text("import sys; sys.exit()")
    with pytest.raises(UserError, match=r"cannot be imported .SystemExit"):
        load_dataset("leaver:load")


@pytest.mark.parametrize("form", ["{}.py:arrays", "./{}.py:arrays", "./{}:arrays", "{}:arrays()"])
def test_a_place_written_as_a_file_or_a_call_is_answered_by_the_right_one(module, form):
    with pytest.raises(UserError, match=f"did you mean {module}:arrays"):
        load_dataset(form.format(module))


def test_a_file_whose_name_looks_like_a_place_is_a_file(module, tmp_path):
    rows = np.random.default_rng(1).random((10, 6), dtype=np.float32)
    with open(tmp_path / "nowhere_at_all:rows", "wb") as file:
        np.save(file, rows)
    assert len(load_dataset("nowhere_at_all:rows").train) == 8
