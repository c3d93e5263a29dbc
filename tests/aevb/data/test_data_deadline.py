"""However slow a server is and however much it sends, a download ends in time."""

import socket
import threading
import time
from pathlib import Path

import pytest
from frey_face_downloads import left_behind, use
from misbehaving_server import Answer, Server, body, trickle

from aevb.data import DatasetUnavailable, download, load_dataset

HEADERS = b"HTTP/1.0 200 OK\r\n"
# Seconds, on a busy machine, for a deadline of 0.5; half a second for each of so many servers would be more.
IN_TIME, MANY = 4.0, [f"{letter}.mat" for letter in "abcdefghijkl"]

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
    use(monkeypatch, *(server.url(path, answer) for path in MANY))
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match=".*".join(MANY)):
        load_dataset("frey_face", deadline=0.5)
    assert time.monotonic() - start < IN_TIME
    assert left_behind(cache) == []


def test_a_name_server_that_does_not_answer_cannot_break_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def no_answer(*_: object, **__: object) -> list[object]:
        answered.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    use(monkeypatch, "http://slow.invalid/a.mat")
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable, match="in the time allowed"):
        load_dataset("frey_face", deadline=0.5)
    assert time.monotonic() - start < IN_TIME
    answered.set()


def test_a_slow_server_leaves_time_for_the_next(mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, server.url("a.mat", trickle(HEADERS + b"\r\n")), server.url("b.mat", body(mat)))
    assert load_dataset("frey_face", deadline=4).name == "frey_face"


def test_a_deadline_of_zero_downloads_nothing(mat: bytes, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    with pytest.raises(DatasetUnavailable, match="in the time allowed"):
        load_dataset("frey_face", deadline=0)


def test_a_body_without_end_is_cut_short(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 50_000)
    use(monkeypatch, server.url("a.mat", body(bytes(200_000))))
    with pytest.raises(DatasetUnavailable, match="more than 50000 bytes"):
        load_dataset("frey_face")
