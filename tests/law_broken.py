"""What every law says that is broken."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aevb.testing import LawBroken

WORDS = r"must .*, got .*: "


@contextmanager
def law_broken(said: str = WORDS) -> Iterator[None]:
    """The block breaks a law, which names the rule, what came and the remedy, and says this."""
    with pytest.raises(LawBroken, match=said) as broken:
        yield
    assert re.search(WORDS, str(broken.value))
