"""Files that are damaged in a few ways, and whether a run comes out of it as it was."""

import pandas as pd
import pytest

from tests.support import curve
from tests.tally import tally


def flipped(content, where=0.5):
    """One bit of it."""
    position = int(where * (len(content) - 1))
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def speckled(content):
    """A bit of every fiftieth byte."""
    return bytes(byte ^ (n % 50 == 25) for n, byte in enumerate(content))


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbled": lambda content: b"damaged",
    "bits flipped": speckled,
}
ANY = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


def hurt(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    tally("damaged files")


def same_curves(one, other):
    pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=True)
