"""The command as a process: `python reproduce.py` in a checkout, `aevb` where the project is installed.

A Python without what the project needs, or too old for it, comes as far as here, and is told what to do.
"""

import contextlib
import errno
import gc
import os
import signal
import sys
from pathlib import Path

# Schedulers and shells end a job with SIGTERM; a terminal that closes does with SIGHUP, unless `nohup` has it ignored.
# Both are treated as Ctrl-C is.
STOPS = [signal.SIGINT, signal.SIGTERM]
if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
    STOPS.append(signal.SIGHUP)
NEEDED = (3, 11)
OURS = ("aevb", "baselines", "harness")


def start() -> int:
    """Its exit status; it is stopped as Ctrl-C does it, and at an end where what it prints cannot be written."""
    if sys.version_info < NEEDED:
        return _refuse("Python must be {}.{} or newer, this is {}.{}".format(*NEEDED, *sys.version_info[:2]))
    for number in STOPS:  # until all is imported, which takes seconds, nothing is lost
        signal.signal(number, lambda *_: os._exit(130))
    from aevb.fast.kernels import choose_kernels
    from harness.command.terminal import open_streams

    choose_kernels()
    open_streams()
    try:
        status = _run()
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            raise
        if error.errno != errno.EPIPE:  # who reads may go away, as under `| head`
            _say(f"error: what it prints cannot be written: {error.strerror}")
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 128 + signal.SIGPIPE if error.errno == errno.EPIPE else 1
    for number in STOPS:  # all is said and done
        signal.signal(number, signal.SIG_IGN)
    return status


def _run() -> int:
    """What the options ask for. They are read before all that takes seconds to import, which is told."""
    from aevb.errors import UserError
    from harness.command.options import is_long, read_options
    from harness.command.parsing import EVALUATE

    if _is_nowhere():
        return 2
    if sys.argv[1:2] == [EVALUATE]:
        return _run_other(sys.argv[2:])
    try:
        options = read_options()
    except UserError as error:
        _say(f"error: {error}")
        return 2
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # what is no number stops NumPy, and no file of ours has a date
    if is_long(options):
        _say("loading torch, data and what is stored …")
    gc.disable()  # of what is imported nothing is garbage, and looking through it takes a sixth of the time
    try:
        import harness.figures  # noqa: F401 - before anything imports matplotlib
        from harness.command.main import main
    except ImportError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        return _refuse(" ".join(str(error).split()))
    finally:
        gc.freeze()
        gc.enable()
    for number in STOPS:
        signal.signal(number, signal.default_int_handler)
    return main()


def _is_nowhere() -> bool:
    """The working folder is gone, for which libraries would end the process; it is told."""
    try:
        os.getcwd()
    except OSError as error:
        _say(f"error: the working folder must be there; {error.strerror}: change to one with `cd`")
        return True
    return False


def _run_other(arguments: list[str]) -> int:
    """`evaluate`, which has options of its own."""
    try:
        from harness.command import evaluate

        for number in STOPS:  # until here they end the process, and nothing is to be told
            signal.signal(number, signal.default_int_handler)
        return evaluate.main(arguments)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        return _refuse(" ".join(str(error).split()))


def _refuse(reason: str) -> int:
    """This Python will not do: which one will."""
    root = Path(__file__).resolve().parents[2]
    remedy = "make an environment, `python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e .`"
    for place in (Path(".venv"), root / ".venv"):
        if (place / "bin" / "activate").exists():
            remedy = f"activate the environment, `. {place}/bin/activate`, or call {place}/bin/python"
            break
    _say(f"error: the project must have a Python with what it needs; {sys.executable}: {reason}; {remedy}")
    return 2


def _say(line: str) -> None:
    name = "aevb" if Path(sys.argv[0]).stem == "aevb" else "reproduce.py"
    with contextlib.suppress(OSError):  # nobody can be told
        print(f"{name}: {line}", file=sys.stderr, flush=True)
