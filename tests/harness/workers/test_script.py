"""A user's script starts processes as it is: without a main guard, and also where it has no file."""

import multiprocessing
import subprocess
import sys
import time

import pytest

from aevb.errors import UserError
from harness.workers.local import Local
from harness.workers.schedule import in_parallel
from tests.support import ROOT, environment

SCRIPT = """
print("begins")
from harness.workers.local import Local
from harness.workers.schedule import in_parallel
in_parallel(len, ["a", "bc"], Local(1), lambda task, future: print(task, future.result()))
print("ends")
"""


@pytest.mark.parametrize(
    "arguments",
    [["script.py"], ["-m", "script"], ["-"], ["-c", SCRIPT], ["-i", "-q", "-"]],
    ids=["file", "module", "standard input", "command", "interactive"],
)
def test_a_script_without_a_main_guard_runs_once_and_has_its_results(arguments, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, *arguments]
    env = environment(PYTHONPATH=str(ROOT))
    done = subprocess.run(command, input=SCRIPT, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines() == ["begins", "a 1", "bc 2", "ends"]
    assert not done.stderr.replace(">>> ", "").strip()
    assert done.returncode == 0


def test_a_scripts_own_processes_go_on_where_ours_are_stopped():
    def stop(task, future):
        raise KeyboardInterrupt

    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            in_parallel(len, ["a", "bc"], Local(1), stop)
        own.join(0.5)
        assert own.is_alive()
        assert multiprocessing.active_children() == [own]
    finally:
        own.kill()
        own.join()


@pytest.mark.parametrize("task", ["function", "task"])
def test_what_a_script_itself_defines_is_refused_by_name(task, monkeypatch):
    def own(x):
        return x

    own.__module__, own.__qualname__ = "__main__", "own"
    monkeypatch.setattr(sys.modules["__main__"], "own", own, raising=False)
    function, given = (own, 1) if task == "function" else (len, [own])
    with pytest.raises(UserError, match=r"must be importable from a module.*own.*: move it from the script"):
        in_parallel(function, [given], Local(1), lambda *_: None)
