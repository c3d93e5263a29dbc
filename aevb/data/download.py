"""HTTP downloads that end, whatever the servers do: time-outs, retries, and one deadline over all of it."""

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from aevb.data.dataset import describe
from aevb.errors import DataError

ATTEMPTS = 3
PAUSE_S = 0.25  # before the second attempt; twice as long before each later one
STALL_S = 5.0  # without a connection, or without a byte
CHUNK = 1 << 14  # bytes
LARGEST = 1 << 26  # bytes; nothing that is wanted here comes near it

T = TypeVar("T")
_log = logging.getLogger(__name__)


class DatasetUnavailable(DataError):
    """A dataset is neither on this machine nor to be had from where it is published; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        """Keep the remedy apart, for places that are too small for the whole message, which ends in it."""
        super().__init__(message)
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["DatasetUnavailable"], tuple[str, str]]:
        """Let it come whole out of another process."""
        return type(self), (str(self), self.remedy)


class TransferError(Exception):
    """A transfer failed; `transient` where the next attempt may not."""

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        """Keep the reason as the message."""
        super().__init__(reason)
        self.transient = transient


def fetch_first(urls: Sequence[str], accept: Callable[[str, bytes], T], seconds: float) -> T:
    """Return accept(url, body) for the first URL whose body arrives and is accepted, that is, raises no DataError.

    Anything else that goes wrong, on this machine too, is a failure of that URL. Each URL may take an equal share of
    the time that those before it left. Raises TransferError, naming every URL and its failure, when all have failed,
    which is after `seconds` seconds at the latest.
    """
    end = time.monotonic() + seconds
    failures = []
    for n_tried, url in enumerate(urls):
        now = time.monotonic()
        try:
            return accept(url, _fetch(url, now + (end - now) / (len(urls) - n_tried)))
        except TransferError as error:
            failures.append(f"{url}: {error}")
        except DataError as error:
            failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - certificates, proxies and answers can be bad in any way at all
            failures.append(f"{url}: {describe(error)}")
        _log.info("download failed: %s", failures[-1])
    raise TransferError("; ".join(failures))


def _fetch(url: str, end: float) -> bytes:
    """Return the body at the URL, trying again after transient failures while the clock is before `end`."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _transfer(url, end)
        except TransferError as error:
            pause = PAUSE_S * 2 ** (attempt - 1)
            if not error.transient or attempt == ATTEMPTS or time.monotonic() + pause >= end:
                raise TransferError(f"{error} (attempt {attempt} of {ATTEMPTS})") from error
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _transfer(url: str, end: float) -> bytes:
    """Return the body at the URL; raise TransferError at `end` even where the attempt itself is stuck.

    Looking up a name and reading headers know no deadline, and a server that trickles keeps every read alive. Hence a
    daemon thread, which is left to its fate when time is up.
    """
    outcome: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if not is_terminal:
        _log.info("downloading %s", url)
    with Progress(*columns, console=Console(stderr=True), disable=not is_terminal, transient=True) as progress:

        def work() -> None:
            try:
                outcome.put(_get(url, end, progress))
            except Exception as error:  # noqa: BLE001 - raised in the other thread
                outcome.put(error)

        threading.Thread(target=work, daemon=True, name=f"download {url}").start()
        try:
            result = outcome.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise _too_late() from None
    if isinstance(result, Exception):
        raise result
    return result


def _get(url: str, end: float, progress: Progress) -> bytes:
    body = bytearray()
    stall = max(0.01, min(STALL_S, end - time.monotonic()))
    headers = {"Accept-Encoding": "identity"}  # so that Content-Length counts the bytes that arrive here
    try:
        with requests.get(url, stream=True, timeout=stall, headers=headers) as response:
            if response.status_code != requests.codes.ok:
                raise TransferError(f"HTTP status {response.status_code}", transient=response.status_code >= 500)
            length = response.headers.get("Content-Length", "")
            expected = int(length) if length.isdecimal() and "Content-Encoding" not in response.headers else None
            task = progress.add_task(f"downloading {url}", total=expected)
            for chunk in response.iter_content(CHUNK):
                body += chunk
                progress.update(task, completed=len(body))
                if time.monotonic() > end:
                    raise _too_late()
                if len(body) > LARGEST:
                    raise TransferError(f"more than {LARGEST} bytes came")
    except requests.RequestException as error:
        lasting = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.TooManyRedirects)
        raise TransferError(describe(_root(error)), transient=not isinstance(error, lasting)) from error
    if expected is not None and len(body) != expected:
        raise TransferError(f"cut off after {len(body)} of {expected} bytes", transient=True)
    return bytes(body)


def _too_late() -> TransferError:
    return TransferError("no whole answer in the time allowed")


def _root(error: BaseException) -> BaseException:
    """Return what first went wrong: "connection refused" says more than the three exceptions wrapped around it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
