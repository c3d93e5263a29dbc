"""Every test runs on one thread, in the order of its arithmetic, so that results repeat bit for bit."""

import signal
from collections.abc import Callable, Generator
from pathlib import Path

from aevb.fast.kernels import choose_kernels

choose_kernels()  # before anything imports NumPy, as the command does

import pytest
import torch

from tests import forking, head_start
from tests.fresh_report import fresh_report
from tests.stranger import own_files
from tests.support import write_array
from tests.tally import taken, total
from tests.tally import tally as count

__all__ = ["fresh_report", "own_files"]  # fixtures


def pytest_configure() -> None:
    # A shell that runs a session in the background has it ignore SIGINT, and all that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    result = yield
    item.user_properties.append(taken())
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if counts := total(terminalreporter.getreports("passed")):
        terminalreporter.write_line(f"survived without loss: {counts}")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def workers_with_a_head_start() -> None:
    forking.for_workers(head_start.server)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20131220)


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """A small array of the user's own, in the test's folder."""
    return write_array(tmp_path)


@pytest.fixture
def tally() -> Callable[..., None]:
    """`tests.tally.tally`."""
    return count
