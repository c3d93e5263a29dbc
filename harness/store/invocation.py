"""What was typed to start this process."""

import multiprocessing
import shlex
import sys
from pathlib import Path

from aevb.errors import UserError

INSTALLED = "aevb"  # name of the project and of its installed command
PLACES = {"--results": "DIR", "--data": "DIR", "--junit": "FILE", "--csv": "FILE"}  # options that take one path
NAMES = ("--dataset", "--verify")  # those that take names, or paths


def program() -> str:
    """How this process was called: "aevb" where the project is installed, else "reproduce.py"."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "reproduce.py"


def invocation() -> str:
    """What a user types before the options."""
    return INSTALLED if program() == INSTALLED else "python reproduce.py"


def command_line() -> str:
    """What was typed to start this process, to be typed again: "python reproduce.py --figure 2", "aevb --figure 2".

    Folders of the interpreter and of an absolute path to the script are left out. A worker process does not know what
    its parent's interpreter was given, but the parent's script and arguments.
    """
    child = multiprocessing.parent_process() is not None
    words = ["python", *(sys.argv if child else sys.orig_argv[1:])]
    script = Path(sys.argv[0])
    if sys.argv[0] in words[1:] and not sys.argv[0].startswith("-"):  # neither code nor a module
        place = words.index(sys.argv[0], 1)
        if script.suffix in ("", ".exe"):  # an installed command, which starts the interpreter itself
            words[: place + 1] = [script.stem]
        else:
            words[place] = script.name if script.is_absolute() else str(script)
    return shlex.join(words).encode(errors="backslashreplace").decode()  # names of files may be no UTF-8


def without_places(command: str) -> str:
    """A command line that does not tell where on somebody's machine files are: "--results DIR", "--dataset faces.npy".

    Raises:
        UserError: it is not written as a shell takes it.
    """
    try:
        typed = shlex.split(command)
    except ValueError as error:
        rule = "a stored command must be one that a shell takes"
        raise UserError(f"{rule}, got {command!a} ({error}): mend it in environment.json") from error
    words, option = [], ""
    for word in typed:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            words.append(option + equals + _without_place(option, value) if equals else option)
        else:
            words.append(_without_place(option, word))
            option = "" if option in PLACES else option  # what follows is not its own
    return shlex.join(words)


def _without_place(option: str, value: str) -> str:
    return PLACES.get(option) or (Path(value).name or value if option in NAMES else value)
