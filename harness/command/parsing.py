"""How options are read and explained: help that fits the terminal, errors in one line, numbers and addresses."""

import argparse
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from aevb.errors import did_you_mean, one_line
from aevb.places import did_you_mean_place
from harness.experiments.methods import METHODS, is_method

EVALUATE = "evaluate"  # a command with options of its own: `aevb evaluate`


class Help(argparse.RawTextHelpFormatter):
    """Lines that were broken by hand stay so; what is longer than the terminal is broken too."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=max(min(shutil.get_terminal_size().columns, 100), 40) - 2)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [part for line in text.splitlines() for part in textwrap.wrap(line, width)]


class Parser(argparse.ArgumentParser):
    """Errors in one line, with what was meant where that is near, exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave."""
        if bad := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL):
            message += did_you_mean(bad[1], re.findall(r"\w+", bad[2]))
        if bad := re.match(r"unrecognized arguments: (?:--)?([^\s=]+)", message):
            known = [text for action in self._actions for text in action.option_strings]
            message += did_you_mean(f"--{bad[1]}", known)
        self.exit(2, f"{self.prog}: error: {one_line(message)} (see --help)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse what argparse takes without a word, and name an unknown option before what it lacks for that.

        `--option=--` it takes for an option without a value, and gives it none; of an option given twice it keeps the
        last value alone.
        """
        given = set[str]()
        valued = {text for action in self._actions if action.nargs != 0 for text in action.option_strings}
        known = [text for action in self._actions for text in action.option_strings]
        texts = sys.argv[1:] if args is None else args
        if texts and not texts[0].startswith("-") and all(action.option_strings for action in self._actions):
            self.error(f"unrecognized arguments: {texts[0]}")  # of no option, which argparse says nothing of
        for text in texts:
            if text.startswith("-") and text.endswith("=--"):
                self.error(f"argument {text[:-3]}: expected a value, got '--'")
            name = text.partition("=")[0]
            if name.startswith("--") and name != "--" and name not in known:
                self.error(f"unrecognized arguments: {name}")
            if name in valued:
                if name in given:
                    self.error(
                        f"argument {name}: given twice, of which one would be ignored; write its values after it"
                    )
                given.add(name)
        return super().parse_known_args(args, namespace)


def whole(least: int) -> Callable[[str], int]:
    """Reader of whole numbers, also written as 1e6, not below `least`."""

    def read(text: str) -> int:
        try:
            value = float(text)
            if value == int(value) and value >= least:
                return int(text) if text.lstrip("+-").isdigit() else int(value)
        except (ValueError, OverflowError):
            pass
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, got {text!r}")

    return read


def method(text: str) -> str:
    """Reader of a method's name, or of where its learner is."""
    if not is_method(text):
        raise argparse.ArgumentTypeError(
            f"must be one of {', '.join(METHODS)}, or package.module:Learner, got {text!r}: choose another"
            f"{did_you_mean_place(text) or did_you_mean(text, METHODS)}"
        )
    return text


def place_of_files(text: str) -> Path:
    """Reader of a path; "~", which a shell leaves where it follows an equals sign, is the home folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got '': name one, or leave the option out")
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):  # what is printed has a path in each line
        raise argparse.ArgumentTypeError(
            f"must be a path without line breaks and other control characters, got {text!r}: choose another"
        )
    return Path(os.path.expanduser(text))


def address(text: str) -> str:
    """Reader of a scheduler's address."""
    try:
        parts = urlsplit(text)
        if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be tcp://HOST:PORT or tls://HOST:PORT, got {text!r}")
