"""Downloads end in time, with the right bytes whole in the cache or with nothing there."""

import errno
import http.client
import io
import logging
import os
import pickle
import socket
import ssl
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import requests
import torch
from misbehaving_server import Answer, Server, body, status, trickle
from urllib3.exceptions import LocationParseError

from aevb.data import DatasetUnavailable, download, frey_face, frey_frames, load_dataset
from aevb.data.files import write_atomically
from aevb.errors import DataError

Frames = npt.NDArray[np.uint8]
HEADERS = b"HTTP/1.0 200 OK\r\n"


def use(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setattr(frey_face, "URLS", urls)


def left_behind(cache: Path) -> list[Path]:
    return [path for path in cache.parents[1].rglob("*") if path.is_file()]


def refusing_url() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/refused"


def test_a_download_is_checked_cached_and_not_repeated(
    frames: Frames, mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    data = load_dataset("frey_face", split="chronological")
    assert torch.equal(data.train, torch.from_numpy(frames[:1600] / np.float32(256)))
    assert left_behind(cache) == [cache]
    assert load_dataset("frey_face", split="chronological") is data
    assert server.n_requests == 1


@pytest.mark.parametrize("kind", ["bytes", "over 255", "over 256", "transposed"])
def test_a_pickle_lands_in_the_cache_in_the_same_form_as_the_original(
    kind: str, frames: Frames, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = {
        "bytes": frames,
        "over 255": (frames / 255).astype(np.float32),
        "over 256": frames / 256,
        "transposed": frames.T,
    }
    use(monkeypatch, server.url("a.pkl", body(pickle.dumps(forms[kind], protocol=2))))
    load_dataset("frey_face")
    assert np.array_equal(frey_frames.frames_from_mat(cache.read_bytes(), cache), frames)


def test_a_hostile_pickle_is_refused_unrun_and_the_next_address_tried(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    hostile = server.url("a.pkl", body(pickle.dumps(Hostile(), protocol=2)))
    use(monkeypatch, hostile)
    with pytest.raises(DatasetUnavailable, match=r"numeric array only.*system"):
        load_dataset("frey_face")
    use(monkeypatch, hostile, server.url("b.mat", body(mat)))
    load_dataset("frey_face")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("first", ["500", "503", "cut off", "hangs up"])
def test_a_transient_failure_is_tried_again(
    first: str, mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: dict[str, Answer] = {
        "500": status(500),
        "503": status(503),
        "cut off": body(mat, cut_at=100_000),
        "hangs up": lambda handler: None,
    }
    use(monkeypatch, server.url("a.mat", failures[first], failures[first], body(mat)))
    load_dataset("frey_face")
    assert server.n_requests == 3


@pytest.mark.parametrize(
    ("answer", "n_requests", "reason"),
    [
        (status(404), 1, "HTTP status 404"),
        (status(403), 1, "HTTP status 403"),
        (status(500), 3, r"HTTP status 500 \(attempt 3 of 3\)"),
        (body(bytes(1000), cut_at=10), 3, "attempt 3 of 3"),
        (body(b"<html>\nWelcome to our hotel's network\n</html>"), 1, "intact .mat file"),
        (body(b""), 1, "intact .mat file"),
        (body(frey_frames.mat_from_frames(np.zeros((1965, 560), np.uint8))), 1, "SHA-256 must match"),
    ],
)
def test_a_failure_is_named_and_leaves_nothing_behind(
    answer: Answer, n_requests: int, reason: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url("a.mat", answer)
    use(monkeypatch, url)
    with pytest.raises(DatasetUnavailable, match=f"{url}.*{reason}") as caught:
        load_dataset("frey_face")
    message = str(caught.value)
    assert "--data DIR" in message
    assert "AEVB_DATA_DIR=DIR" in message
    assert str(cache.parent) in message
    assert "\n" not in message
    assert server.n_requests == n_requests
    assert left_behind(cache) == []


def test_the_addresses_are_tried_in_order_and_all_failures_are_listed(
    mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, missing = refusing_url(), server.url("b.mat", status(404))
    use(monkeypatch, refused, missing)
    with pytest.raises(DatasetUnavailable, match=f"{refused}: ConnectionRefusedError.*{missing}: HTTP status 404"):
        load_dataset("frey_face")
    use(monkeypatch, refused, missing, server.url("c.mat", body(mat)), server.url("d.mat", status(404)))
    server.n_requests = 0
    load_dataset("frey_face")
    assert server.n_requests == 2


SLOW = {
    "silent": lambda handler: handler.server.closing.wait(10),
    "slow headers": trickle(HEADERS + b"X: "),
    "slow body": trickle(HEADERS + b"\r\n"),
    "slow body of a known length": trickle(HEADERS + b"Content-Length: 1100000\r\n\r\n"),
    "slow failures": lambda handler: time.sleep(0.3),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW.keys())
def test_the_deadline_holds_whatever_the_server_does(
    answer: Answer, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, *(server.url(path, answer) for path in ("a.mat", "b.mat", "c.pkl")))
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match=r"a\.mat.*b\.mat.*c\.pkl"):
        load_dataset("frey_face", deadline=0.5)
    assert time.monotonic() - start < 1.5
    assert left_behind(cache) == []


def test_a_name_server_that_does_not_answer_cannot_break_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def no_answer(*_: object, **__: object) -> list[object]:
        answered.wait(5)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    use(monkeypatch, "http://slow.invalid/a.mat")
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match="in the time allowed"):
        load_dataset("frey_face", deadline=0.3)
    assert time.monotonic() - start < 1.3
    answered.set()


def test_a_slow_server_leaves_time_for_the_next(mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, server.url("a.mat", trickle(HEADERS + b"\r\n")), server.url("b.mat", body(mat)))
    assert load_dataset("frey_face", deadline=1.5).name == "frey_face"


def test_a_deadline_of_zero_downloads_nothing(mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    with pytest.raises(DatasetUnavailable, match="in the time allowed"):
        load_dataset("frey_face", deadline=0)


def test_a_body_without_end_is_cut_short(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 50_000)
    use(monkeypatch, server.url("a.mat", body(bytes(200_000))))
    with pytest.raises(DatasetUnavailable, match="more than 50000 bytes"):
        load_dataset("frey_face")


def test_a_damaged_cache_is_replaced_by_a_download(
    mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    cache.parent.mkdir(parents=True)
    cache.write_bytes(mat[:-1000])
    with caplog.at_level(logging.WARNING):
        load_dataset("frey_face")
    assert "discarding a damaged file" in caplog.text
    frey_frames.frames_from_mat(cache.read_bytes(), cache)
    assert left_behind(cache) == [cache]


def test_a_cache_folder_that_cannot_be_made_is_an_error_that_names_it(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(DataError, match=rf"{tmp_path}/cache/aevb/frey_face.*writable.*--data DIR") as caught:
        load_dataset("frey_face")
    assert isinstance(caught.value, DatasetUnavailable), "a figure of all datasets can go on without this one"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_data_error(mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    use(monkeypatch, server.url("a.mat", body(mat)))
    with pytest.raises(DataError, match="No space left on device"):
        load_dataset("frey_face")
    assert left_behind(cache) == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_drawn_on_a_terminal_and_logged_elsewhere(
    is_terminal: bool,
    mat: bytes,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    url = server.url("a.mat", body(mat))
    use(monkeypatch, url)
    with caplog.at_level(logging.INFO, logger="aevb"):
        load_dataset("frey_face")
    assert ("downloading" in stream.getvalue()) is is_terminal
    assert (f"downloading {url}" in caplog.text) is not is_terminal


def raising(error: BaseException) -> object:
    def get(*_: object, **__: object) -> None:
        raise error

    return get


ANYTHING = [
    OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere"), PermissionError(13, "no"),
    OSError(24, "Too many open files"), ssl.SSLError("self-signed"), ssl.CertificateError("not this host"),
    socket.gaierror(-2, "Name or service not known"), TimeoutError("slow"), ConnectionResetError(), EOFError(),
    UnicodeError("label too long"), UnicodeDecodeError("idna", b"x", 0, 1, "bad"), ValueError("Invalid IPv6 URL"),
    LocationParseError("::"), http.client.BadStatusLine("?"), http.client.LineTooLong("header"), KeyError("location"),
    AttributeError("read"), TypeError("proxies"), RuntimeError("can't start new thread"), MemoryError(),
    zlib.error("-3"),
    RecursionError("redirects"), ImportError("socks"), requests.exceptions.InvalidProxyURL("?"),
    requests.exceptions.ContentDecodingError("gzip"), IndexError(), ZeroDivisionError(),
]  # fmt: skip


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: f"{type(error).__name__} {error}")
def test_whatever_stops_a_download_the_dataset_is_missing(error: BaseException, tally, monkeypatch) -> None:
    use(monkeypatch, "https://one.invalid/a.mat", "https://two.invalid/b.pkl")
    monkeypatch.setattr(download.requests, "get", raising(error))
    with pytest.raises(DatasetUnavailable, match=r"one\.invalid.*two\.invalid.*put frey_rawface\.mat") as caught:
        load_dataset("frey_face")
    assert str(caught.value).isprintable()
    tally("failed downloads")


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: f"{type(error).__name__} {error}")
def test_whatever_stops_the_reading_of_an_answer_the_next_address_is_tried(
    error: BaseException, tally, mat: bytes, server: Server, monkeypatch
) -> None:
    monkeypatch.setattr(frey_face, "frames_from_pickle", raising(error))
    use(monkeypatch, server.url("a.pkl", body(b"odd")), server.url("b.mat", body(mat)))
    assert load_dataset("frey_face").train.shape == (1600, 560)
    tally("failed downloads")


SURROUNDINGS = {
    "no bundle": {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}, "a folder for a bundle": {"REQUESTS_CA_BUNDLE": "/proc"},
    "an empty bundle": {"REQUESTS_CA_BUNDLE": "/dev/null"}, "curl's bundle": {"CURL_CA_BUNDLE": "/nowhere"},
    "no port": {"https_proxy": "http://127.0.0.1:", "http_proxy": "http://127.0.0.1:"},
    "no proxy's address": {"https_proxy": "::::", "http_proxy": "::::"},
    "half an address": {"https_proxy": "http://[::1", "http_proxy": "http://[::1"},
    "a socket's proxy": {"https_proxy": "socks5://127.0.0.1:9", "http_proxy": "socks5h://127.0.0.1:9"},
    "a file's proxy": {"https_proxy": "file:///etc/passwd", "http_proxy": "file:///etc/passwd"},
    "a port that is none": {"https_proxy": "http://127.0.0.1:99999", "http_proxy": "http://127.0.0.1:99999"},
    "for all": {"ALL_PROXY": "http://user:p%40ss@127.0.0.1:9"}, "netrc": {"NETRC": "/proc/self/mem"},
    "no home": {"HOME": "/nowhere", "NETRC": "/nowhere"},
}  # fmt: skip


@pytest.mark.parametrize("changes", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
def test_proxies_and_certificates_that_are_none_leave_the_dataset_missing(changes, tally, monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelt in (name, name.upper()):
            monkeypatch.delenv(spelt, raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    use(monkeypatch, refusing_url().replace("http:", "https:"), refusing_url())
    with pytest.raises(DatasetUnavailable):
        load_dataset("frey_face", deadline=3)
    tally("failed downloads")


def test_without_a_standard_error_a_download_says_nothing(mat: bytes, server: Server, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    use(monkeypatch, server.url("a.mat", body(mat)))
    assert load_dataset("frey_face").train.shape == (1600, 560)


def test_a_user_without_a_home_has_no_cache_named_tilde_in_the_working_folder(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(frey_face.platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    monkeypatch.setattr(frey_face.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    use(monkeypatch, server.url("a.mat", body(mat)))
    load_dataset("frey_face")
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
