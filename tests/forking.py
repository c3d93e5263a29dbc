"""Processes that are forked from one that has imported all, and are what `python` would have started.

Each has its own arguments, folder, environment and streams, and is a child of whoever asked for it, who may wait for
its end or kill it: it is forked twice, and when the one between ends, the next ancestor that adopts orphans has it.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import multiprocessing.util as util
import os
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

AVAILABLE = sys.platform == "linux"
IMPORTED = ("harness.figures", "harness.command.main", "harness.runs.train")  # the first before matplotlib
SET_CHILD_SUBREAPER = 36  # of Linux' <sys/prctl.h>
MOST, MOST_FILES = 1 << 20, 64  # bytes of a request, and what comes along
FREE = 1000  # from this number on there are no files

Action = Callable[[], None]


@dataclass
class Request:
    """What a process is to be.

    Attributes:
        arguments: those of `python`: a script or "-c" and code, and what it is given.
        env: its environment.
        numbers: which of its files the ones that come along are to be.
        ours: it is to be a child of whoever asks; else it leads a session of its own, and how it ends is told.
        interruptible: Ctrl-C is not ignored.
    """

    arguments: list[str]
    env: dict[str, str]
    numbers: list[int]
    folder: str
    ours: bool = False
    interruptible: bool = True


class Server:
    """The other side of a process from which others are forked."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def start(self, request: Request, files: Sequence[int]) -> tuple[int, socket.socket]:
        """Its number, and what tells its end."""
        ours, theirs = pair()
        with theirs, self._lock:
            socket.send_fds(self._connection, [json.dumps(asdict(request)).encode()], [theirs.fileno(), *files])
            return int(ours.recv(20)), ours


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of what carries messages, each as a whole."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def adopt_orphans() -> None:
    """What is forked twice becomes a child of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def for_workers(server: Callable[[], Server]) -> None:
    """From now on the workers that `multiprocessing` starts for this process have a head start too."""
    if not AVAILABLE:
        return
    original = util.spawnv_passfds

    def spawn(path: Any, arguments: Sequence[Any], files: Sequence[int]) -> int:
        words = [os.fsdecode(word) for word in arguments]
        if "--multiprocessing-fork" not in words:
            return original(path, arguments, files)
        interruptible = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        numbers = [*files, 0, 1, 2]
        code = words[words.index("-c") :]
        request = Request(code, dict(os.environ), numbers, os.getcwd(), True, interruptible)
        pid, told = server().start(request, numbers)
        told.close()
        return pid

    util.spawnv_passfds = spawn


def fork_workers() -> None:
    """From now on this process's workers are forked from what it is now."""
    if not AVAILABLE:
        return
    adopt_orphans()
    ours, theirs = pair()
    if os.fork() == 0:
        ours.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _act(_serve(theirs))
    theirs.close()
    here = Server(ours)
    for_workers(lambda: here)


def _serve(connection: socket.socket) -> Action | None:
    """Fork until the other side is gone; returns in the processes that are forked, what they are to do."""
    while True:
        message, files, *_ = socket.recv_fds(connection, MOST, MOST_FILES)
        if not message:
            return None
        request = Request(**json.loads(message))
        teller, *given = files
        pid = os.fork()
        if pid == 0:
            connection.close()
            return _fork_twice(request, teller, given)
        for file in files:
            os.close(file)
        if request.ours:
            os.waitpid(pid, 0)
        _reap()


def _reap() -> None:
    """What has told how a process ended has ended itself."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork_twice(request: Request, teller: int, given: list[int]) -> Action:
    """Who began ends now, which makes the other a child of whoever asked for it, or waits for its end and tells it."""
    first = os.getpid()
    waits, goes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(goes)
        os.read(waits, 1)  # until who began ends or is to wait
        os.close(waits)
        os.close(teller)
        while request.ours and os.getppid() == first:
            time.sleep(0.001)
        return lambda: _become(request, given)
    os.write(teller, b"%d" % pid)
    if not request.ours:
        os.close(goes)
        for file in given:
            os.close(file)
        os.write(teller, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(request: Request, given: list[int]) -> None:
    """Be the process that was asked for."""
    if not request.ours:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler if request.interruptible else signal.SIG_IGN)
    kept = [os.dup2(file, FREE + n, inheritable=False) for n, file in enumerate(given)]
    os.closerange(3, FREE)
    for file, number in zip(kept, request.numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.env)
    first, *others = request.arguments
    sys.orig_argv[:] = [sys.executable, *request.arguments]
    if first == "-c":
        sys.argv[:] = ["-c", *others[1:]]
        sys.path[0] = ""
        exec(others[0], {"__name__": "__main__"})
        return
    fork_workers()
    sys.argv[:] = request.arguments
    sys.path[0] = str(Path(first).parent)
    runpy.run_path(first, run_name="__main__")


def _act(action: Action | None) -> None:
    """Do it and end as the interpreter does, but for taking apart all that is in memory, which takes long."""
    status: Any = 0
    try:
        if action is not None:
            action()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - nobody is above
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        status = 1
    if action is not None:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def main(number: int) -> None:
    """The process from which others are forked; `number` is its end of what connects it."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _act(_serve(socket.socket(fileno=number)))
