"""The workers of a Dask scheduler, on any number of machines that share a file system."""

import asyncio
import contextlib
import itertools
import logging
import socket
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aevb import shipped
from aevb.errors import UserError, one_line
from harness.store.environment import cpu_name
from harness.store.files import check_writable
from harness.store.locks import hold
from harness.store.notices import tell_once
from harness.workers.cluster_worker import Expected, Unfit, call, inspect, quiet
from harness.workers.schedule import Result, Task, WorkerDied

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 10.0
SECONDS_BETWEEN_COUNTS = 2.0
SECONDS_WITHOUT_WORKERS = 600.0


@dataclass(frozen=True)
class Cluster:
    """The workers that a scheduler has, and will have.

    Attributes:
        address: of the scheduler, tcp://HOST:PORT.
        results: root of the store, which all workers must share, as an absolute path.
        data: absolute paths that they must have too.
    """

    address: str
    results: Path
    data: tuple[Path, ...] = ()

    @contextmanager
    def pool(self, n_tasks: int) -> Iterator["DaskPool"]:
        """The workers; when the block is left early, what still runs is told to stop, and waited for.

        Raises:
            UserError: there is no such scheduler, it has no workers, or none that would give this process's results.
        """
        with _connect(self.address) as client, _token(self.results) as token:
            pool = DaskPool(client, self.address, Expected.of_this_process(token, self.data))
            pool.wait_for_workers()
            pool.check_workers()
            try:
                yield pool
            except BaseException:
                pool.stop()
                raise


class DaskPool:
    """A `schedule.Pool`. Dask has another worker try what one died of, some times (`allowed-failures`)."""

    def __init__(self, client: "Client", address: str, expected: Expected) -> None:
        self._client, self._address, self._expected = client, address, expected
        self._executor: Any = client.get_executor(pure=False)
        self._priorities = itertools.count(0, -1)
        self._seen = self._counted = time.monotonic()
        self._fit, self._unfit = set[str](), dict[str, str]()
        self._alive = True

    def submit(self, function: Callable[[Task], Result], task: Task, saves: bool) -> Future[Result]:
        """Have a worker call function(task)."""
        future: Future[Result] = self._executor.submit(
            call, self._expected, function, task, saves, priority=next(self._priorities)
        )
        return future

    def lost(self, future: Future[Any]) -> bool:
        """Too many workers died of it.

        Raises:
            WorkerDied: the scheduler is gone.
        """
        from distributed import KilledWorker

        if future.cancelled():
            raise self._gone()
        return isinstance(future.exception(), KilledWorker)

    def look(self) -> None:
        """Look at workers that came. Raises WorkerDied where fit ones have been gone for long, or the scheduler is."""
        now = time.monotonic()
        if now - self._counted < SECONDS_BETWEEN_COUNTS:
            return
        self._counted = now
        self._inspect()
        if self._fit:
            self._seen = now
        elif now - self._seen > SECONDS_WITHOUT_WORKERS:
            raise WorkerDied(f"the scheduler at {self._address} has had no worker for {SECONDS_WITHOUT_WORKERS:.0f} s")

    def wait_for_workers(self) -> None:
        """Give them time to come."""
        if not self._workers():
            print(f"waiting for a worker to join the scheduler at {self._address}", file=sys.stderr, flush=True)
            try:
                self._client.wait_for_workers(1, SECONDS_WITHOUT_WORKERS)
            except TimeoutError:
                raise UserError(
                    f"the scheduler at {self._address} must have workers, none has joined it in "
                    f"{SECONDS_WITHOUT_WORKERS:.0f} s: start some with `dask worker {self._address} --nthreads 1`"
                ) from None

    def check_workers(self) -> None:
        """Raises UserError where all workers would give other results, or none."""
        self._inspect()
        if self._unfit and not self._fit:
            raise Unfit(next(iter(self._unfit.values())))

    def _inspect(self) -> None:
        """Find out who is fit, of those that are new, and tell who is left out; these let go of what they are given."""
        workers = self._workers()
        self._fit &= workers
        if not (new := workers - self._fit - {*self._unfit}):
            return
        try:
            answers = self._client.run(inspect, self._expected, workers=[*new], on_error="return")
        except (OSError, TimeoutError):
            raise self._gone() from None
        for address, answer in answers.items():
            if isinstance(answer, OSError):  # it left
                continue
            if isinstance(answer, BaseException):  # as where the project is not installed there
                self._unfit[address] = (
                    f"workers must have this version of the project; {address}: {type(answer).__name__}: {answer}; "
                    "install it there, and start the worker again"
                )
            elif answer.problem:
                self._unfit[address] = answer.problem
            else:
                self._fit.add(address)
                if answer.cpu != cpu_name():
                    tell_once(f"note: workers on {answer.cpu}, here {cpu_name()}: last digits may differ")
        if self._fit:
            for address in new & {*self._unfit}:
                tell_once(one_line(f"left out: {self._unfit[address]}"))

    def stop(self) -> None:
        """Tell what still runs to save, and wait for it, half a minute at most."""
        if not self._alive:
            return  # its workers have seen that too, and leave
        self._executor.shutdown(wait=False)
        with contextlib.suppress(OSError, TimeoutError):
            self._client.run(quiet, self._expected.token, on_error="ignore")

    def _workers(self) -> set[str]:
        try:
            return {*self._client.nthreads()}
        except (OSError, TimeoutError):
            raise self._gone() from None

    def _gone(self) -> WorkerDied:
        self._alive = False
        return WorkerDied(f"the scheduler at {self._address} is gone")


@contextmanager
def _connect(address: str) -> Iterator["Client"]:
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "--cluster needs the package distributed, which is not installed: pip install "
            + ("-c constraints.txt -e '.[cluster]'" if shipped.CHECKOUT else "distributed")
        ) from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told in one line
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")  # of other versions, which `check_workers` refuses
            where = urlsplit(address)
            socket.create_connection((where.hostname, where.port), SECONDS_TO_CONNECT).close()  # else it says just that
            asyncio.run(_ask(address))
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    # A TypeError where TLS is not set up; a MemoryError where another server's greeting is taken for a length.
    except (OSError, TimeoutError, ValueError, TypeError, LookupError, MemoryError) as error:
        reason = str(error) or f"no answer in {SECONDS_TO_CONNECT:.0f} s"
        if isinstance(error, MemoryError):
            reason = "it does not speak as a scheduler does"
        raise UserError(
            f"--cluster must be the address of a running Dask scheduler; {address}: {reason}: "
            "start one with `dask scheduler`, and give the address that it prints"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=5)


async def _ask(address: str) -> None:
    """A client would wait for ever for what accepts a connection and does not answer."""
    from distributed import Security, rpc

    async with rpc(address, connection_args=Security().get_connection_args("client")) as there:
        answer = await asyncio.wait_for(there.identity(), SECONDS_TO_CONNECT)
    if answer["type"] != "Scheduler":
        raise ValueError(f"a Dask {answer['type'].lower()} is there")


@contextmanager
def _token(folder: Path) -> Iterator[Path]:
    """A file that only who shares the folder can see, and that this process holds; those of the killed are removed."""
    check_writable(folder)
    for left in folder.glob(".cluster-*"):
        with hold(left, lambda: True) as ours:
            if ours:
                left.unlink(missing_ok=True)
    token = folder / f".cluster-{uuid.uuid4().hex}"
    with hold(token):
        try:
            yield token
        finally:
            token.unlink(missing_ok=True)
