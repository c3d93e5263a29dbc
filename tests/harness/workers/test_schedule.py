"""Workers that die are replaced once; workers that are told to stop save first; nobody is left behind."""

import multiprocessing
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from harness.workers.local import Local
from harness.workers.schedule import WorkerDied, in_parallel, should_stop


def die_the_first_time(path):
    if path.name == "dies" and not path.exists():
        path.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def die_if_told(name):
    if name == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    return name


def fail(number):
    if number == 1:
        raise ValueError("one is wrong")
    return number


def save_when_told(path):
    path.with_suffix(".began").write_text("")
    while not should_stop():
        time.sleep(0.01)
    time.sleep(0.5)
    path.write_text("saved")


def sleep_long(path):
    path.with_suffix(".began").write_text("")
    time.sleep(600)


def outcomes(function, tasks, workers=2):
    found = {}
    in_parallel(
        function,
        tasks,
        Local(workers),
        lambda task, future: found.update({task: future.exception() or future.result()}),
    )
    return found


def test_a_worker_that_dies_is_replaced_and_its_task_done(tmp_path):
    tasks = [tmp_path / name for name in ("dies", "lives", "waits", "waits too")]
    assert outcomes(die_the_first_time, tasks) == {path: path.name for path in tasks}


def test_a_task_that_kills_every_worker_is_given_up_and_takes_no_other_down(tmp_path):
    names = ["kills", *"abcd"]
    found = outcomes(die_if_told, names)
    assert isinstance(found.pop("kills"), WorkerDied)
    assert found == {name: name for name in "abcd"}


def test_a_task_that_fails_takes_no_other_down():
    found = outcomes(fail, [0, 1, 2])
    assert isinstance(found.pop(1), ValueError)
    assert found == {0: 0, 2: 2}


@pytest.mark.parametrize(("function", "saves"), [(save_when_told, True), (sleep_long, False)])
def test_left_early_it_waits_for_what_is_saved_and_for_nothing_else(function, saves, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]

    def interrupt_once_all_began():
        if all(path.with_suffix(".began").exists() for path in paths):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_parallel(function, paths, Local(2), lambda *_: None, look=interrupt_once_all_began, saves=saves)
    assert [path.exists() for path in paths] == [saves, saves]
    assert not multiprocessing.active_children()


def test_a_pool_that_broke_while_tasks_were_given_to_it_loses_the_later_ones_and_they_are_done_in_the_next(tmp_path):
    with Local(1).pool(2) as pool:
        first = pool.submit(die_the_first_time, tmp_path / "dies", False)
        assert isinstance(first.exception(timeout=60), BrokenProcessPool)
        assert pool.lost(pool.submit(fail, 0, False))
    assert outcomes(fail, [0, 2]) == {0: 0, 2: 2}
