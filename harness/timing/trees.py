"""A tree's worker: `benchmarks/turns.py` with the packages of that tree, told what to run."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from aevb.errors import UserError
from harness.store.checkout import ROOT

WORKER = ROOT / "benchmarks" / "turns.py"


class Tree:
    """A process that runs the cases of a tree, while the block lasts.

    Args:
        root: of the tree.
        name: in messages.

    Raises:
        UserError: here or later, the tree's code fails at a case, or is too old to have them.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root, name

    def __enter__(self) -> "Tree":
        """Start it, and wait until it has imported and read what it needs."""
        paths = [str(self._root), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            # -P: the worker's own folder is of the newer tree
            [sys.executable, "-P", str(WORKER)], cwd=self._root, env=env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        try:
            packages = self._answer("packages")
            if Path(packages) != self._root.resolve():
                raise UserError(f"{self._name} must run its own packages, those in {self._root}, got {packages}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        with suppress(BrokenPipeError):  # it has ended before it read all
            self._process.stdin.close()  # at which it ends, and a launch of it does
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def launch(self) -> list[str]:
        """Build all cases anew; their names."""
        cases: list[str] = self._ask("cases", do="launch")
        return cases

    def run(self, case: str, times: int) -> float:
        """Seconds of a case's work, so many times."""
        return float(self._ask("seconds", do="run", case=case, times=times))

    def end(self) -> None:
        """Of a launch."""
        self._ask("ended", do="end")

    def _ask(self, wanted: str, **command: object) -> Any:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, and its last words say why
            print(json.dumps(command), file=self._process.stdin, flush=True)
        return self._answer(wanted)

    def _answer(self, wanted: str) -> Any:
        """What the next answer says by this name."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if wanted not in answer:
            why = answer.get("error", f"an answer without {wanted}")
            raise UserError(
                f"both trees must run the cases of benchmarks/turns.py; {self._name} ends with {why}: "
                "choose a commit that has them, or mend this tree"
            )
        return answer[wanted]

    def _last_words(self) -> str:
        self._errors.seek(0)
        return next((line for line in reversed(self._errors.read().splitlines()) if line.strip()), "no message")
