"""A cluster that is not there or not fit is told in one line; a worker that is not fit is left out by name."""

import contextlib
import socket
import sys
import threading

import pytest

from aevb.errors import UserError
from harness.command import main as command_line
from harness.command.arguments import parser
from harness.command.options import read_request
from harness.experiments.paper import FIGURE2
from harness.store import notices
from harness.workers import cluster, cluster_worker
from harness.workers.cluster import Cluster
from tests.dask_cluster import die_if_told, outcomes, scheduler, tell_who


def request(array, address):
    return ["--figure", "2", "--dataset", str(array), "--cluster", address]


def test_a_scheduler_that_is_not_there_or_does_not_answer_is_one_clear_line(array, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reasons = {1: "[Errno 111] Connection refused", silent.getsockname()[1]: "no answer in 1 s"}
        for port, reason in reasons.items():
            assert command_line.main(request(array, f"tcp://127.0.0.1:{port}")) == 2
            printed = capfd.readouterr().err
            assert (
                f"must be the address of a running Dask scheduler; tcp://127.0.0.1:{port}: {reason}: start one"
                in printed
            )
            assert printed.count("\n") == 2  # how many runs there are to compute, and the error
            assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_another_kind_of_server_is_one_clear_line(greeting, array, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 2)

    def greet(server):
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                client.sendall(greeting)
                client.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        assert command_line.main(request(array, f"tcp://127.0.0.1:{server.getsockname()[1]}")) == 2
        server.shutdown(socket.SHUT_RDWR)
    printed = capfd.readouterr().err
    assert "must be the address of a running Dask scheduler" in printed
    assert printed.count("\n") == 2


def test_without_the_package_it_says_how_to_get_it(array, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command_line.main(request(array, "tcp://127.0.0.1:1")) == 2
    assert "pip install -c constraints.txt -e '.[cluster]'" in capsys.readouterr().err


def test_a_scheduler_without_workers_is_waited_for_so_long(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "SECONDS_WITHOUT_WORKERS", 0.2)
    with (
        scheduler(tmp_path, 0) as empty,
        pytest.raises(UserError, match="must have workers, none has joined it in 0 s: start some with"),
    ):
        outcomes(die_if_told, ["a"], Cluster(empty.address, tmp_path))
    assert "waiting for a worker to join" in capsys.readouterr().err


def refusal(running, tmp_path, **more):
    with pytest.raises(UserError) as refused:
        outcomes(die_if_told, ["a"], Cluster(running.address, tmp_path, **more))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_worker_of_another_version_is_refused_by_name(running, tmp_path, monkeypatch):
    others = {**cluster_worker.versions(), "torch": "1.0"}
    monkeypatch.setattr(cluster_worker, "versions", lambda: others)
    said = refusal(running, tmp_path)
    assert "must have the versions that are here; tcp://127.0.0.1:" in said
    assert "not 1.0: install the same ones" in said


@pytest.mark.parametrize("late", [False, True], ids=["from the first", "came later"])
def test_a_worker_that_is_not_fit_is_left_out_by_name_and_the_others_do_all(late, running, tmp_path, capsys):
    monkey = pytest.MonkeyPatch()
    monkey.setattr(cluster, "SECONDS_BETWEEN_COUNTS", 0.2)
    monkey.setattr(notices, "_told", set())
    started = []

    def start():
        started.append(running.start_worker("--nthreads", "2", "--no-nanny"))

    def start_late():
        if not started and (tmp_path / "0").exists():
            start()

    try:
        if not late:
            start()
            with cluster._connect(running.address) as client:
                client.wait_for_workers(3, 20)
        paths = [tmp_path / str(n) for n in range(30 if late else 8)]
        found = outcomes(tell_who, paths, Cluster(running.address, tmp_path), look=start_late)
        assert {*found.values()} == {1}, "all were computed by workers of one thread"
        said = capsys.readouterr().err
        assert said.count("left out: ") == 1
        assert "must have one thread" in said
        assert "has 2: start it with --nthreads 1" in said
    finally:
        monkey.undo()
        for worker in started:
            worker.terminate()
            worker.wait(20)


def test_a_worker_without_the_project_is_refused(running, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def inspect(expected, dask_worker): pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cluster, "inspect", __import__("only_here").inspect)
    assert "workers must have this version of the project; tcp://127.0.0.1:" in refusal(running, tmp_path)


def test_folders_that_a_worker_does_not_see_are_refused(running, tmp_path, monkeypatch):
    assert "does not see " + str(tmp_path / "data") in refusal(running, tmp_path, data=(tmp_path / "data",))
    original = cluster_worker.Expected.of_this_process
    elsewhere = tmp_path / "elsewhere" / "token"
    monkeypatch.setattr(cluster.Expected, "of_this_process", lambda token, data: original(elsewhere, data))
    said = refusal(running, tmp_path)
    assert "results must lie in a folder that all workers share" in said
    assert "choose a shared one with --results DIR" in said


def test_workers_are_sent_absolute_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEVB_DATA_DIR", "frey")
    arguments = ["--figure", "2", "--dataset", "a.npy", "frey_face", "--results", "r", "--cluster", "tcp://127.0.0.1:1"]
    read = read_request(parser().parse_args(arguments))
    assert read.experiment == FIGURE2
    assert read.place == Cluster("tcp://127.0.0.1:1", tmp_path / "r", (tmp_path / "a.npy", tmp_path / "frey"))
    assert read.shelves.runs.is_absolute()
