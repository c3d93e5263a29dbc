"""Whatever stops a download, it is tried again or elsewhere, or the dataset is missing and every reason is told."""

import http.client
import socket
import ssl
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
from frey_face_downloads import left_behind, use
from misbehaving_server import Answer, Server, body, status
from urllib3.exceptions import LocationParseError

from aevb.data import DatasetUnavailable, download, frey_face, frey_frames, load_dataset


def refusing_url() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/refused"


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
