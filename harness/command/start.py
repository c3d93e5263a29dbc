"""The command as a process: `python reproduce.py` in a checkout, `aevb` where the project is installed."""

import errno
import os
import signal
import sys

STOPS = (signal.SIGINT, signal.SIGTERM)  # schedulers and shells end a job with the latter: treated as Ctrl-C is


def start() -> int:
    """Its exit status; it is stopped as Ctrl-C does it, and at an end where what it prints cannot be written."""
    for number in STOPS:  # until all is imported, which takes seconds, nothing is lost
        signal.signal(number, lambda *_: os._exit(130))
    from harness.command.main import main
    from harness.store.environment import program

    try:
        for number in STOPS:
            signal.signal(number, signal.default_int_handler)
        status = main()
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            raise
        if error.errno != errno.EPIPE:  # who reads may go away, as under `| head`
            print(f"{program()}: error: what it prints cannot be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE if error.errno == errno.EPIPE else 1
    for number in STOPS:  # all is said and done
        signal.signal(number, signal.SIG_IGN)
    return status
