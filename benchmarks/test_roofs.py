"""The roofs of the roofline: bandwidth of memory and of a core's cache, and the fastest products."""

import pytest
import torch

from aevb.errors import UserError
from aevb.fast.products import Precision
from benchmarks.conftest import Meter
from benchmarks.roofs import Roof, make_roof

ROOFS: list[tuple[Roof, Precision]] = [
    ("memory", "float32"), ("cache", "float32"), ("products", "float32"), ("products", "bfloat16")
]  # fmt: skip


@pytest.mark.parametrize(("roof", "precision"), ROOFS)
def test_roof(roof: Roof, precision: Precision, device: str, meter: Meter) -> None:
    try:
        work = make_roof(roof, precision, torch.device(device))
    except UserError as error:
        pytest.skip(str(error))
    meter(work.call, suite="roof", roof=roof, precision=precision, amount=work.amount, array_bytes=work.size)
