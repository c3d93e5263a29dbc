"""The cases in `benchmarks/`, timed by pytest in a process of its own, and gone on with where they were stopped."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aevb.errors import UserError
from harness.store.checkout import ROOT
from harness.timing.journal import NAME, alone, read_journal
from harness.workers.progress import duration

TEST_LINE = re.compile(r"(?P<id>\S+::(?P<name>.+?)) (?P<outcome>[A-Z]+)(?P<why> \(.*\))? +\[ *\d+%\]")
CASES_LINE = re.compile(r"cases: (?P<there>\d+) of (?P<all>\d+) are done(?P<anew>; begins anew: .+)?")
RAN = (0, 1, 5)  # pytest's status: all passed, some failed, and none was left to run


@contextmanager
def measured(
    kinds: Sequence[str], folder: Path, methods: Sequence[str] = (), *, anew: bool = False
) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Run the cases that are missing; where the block ends well all is kept elsewhere, and the journal is removed.

    A line is printed for each case as it is done. A case that failed before it was timed is tried again next time: the
    journal stays.

    Args:
        kinds: of devices.
        folder: of the journal.
        methods: to time instead of the suite.
        anew: take nothing from the journal.

    Yields:
        A record for each case that was timed, in seconds, and whether all assertions held. Seconds are those of one
        call of `steps` steps, which gets through `samples` datapoints: the median over rounds, with a 95 % bootstrap
        interval; rates are those of the median. FLOPs and bytes are those of a step.

    Raises:
        UserError: pytest is missing, there was nothing to run, or another command measures for the folder.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]:
        raise UserError(f"--benchmark needs {' and '.join(missing)}: pip install -c constraints.txt -e '.[test]'")
    journal = folder.resolve() / NAME
    command = [sys.executable, "-m", "pytest", "benchmarks", "-v", "-p", "no:cacheprovider", "--color=no"]
    command += ["-m", " or ".join(kinds), f"--journal={journal}", "--benchmark-columns=min"]
    command += [f"--methods={' '.join(methods)}"] if methods else []
    with alone(folder):
        if anew:
            journal.unlink(missing_ok=True)
        status = _run(command, journal)
        heading, lines = read_journal(journal)
        known = outcomes(lines)
        found = [known[case] for case in heading["cases"] if case in known]
        failures = [each for each in found if each["outcome"] == "failed"]
        for each in failures:
            print(f"{each['case']}\n{each['failure']}\n", file=sys.stderr)
        yield [each["record"] for each in found if each["record"]], status != 1 and not failures
        if {*heading["cases"]} == done(lines):
            journal.unlink()


def outcomes(lines: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The last line of each case of a journal."""
    return {line["case"]: line for line in lines}


def done(lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """The cases that need not run again: all but those that failed before they were timed."""
    return {case for case, line in outcomes(lines).items() if line["outcome"] != "failed" or line["record"]}


def _run(command: Sequence[str], journal: Path) -> int:
    """Exit status of pytest, whose cases are counted as they go by; those of earlier processes count too.

    Raises:
        UserError: it has not run its cases.
    """
    output, seen, began = list[str](), set[str](), 0.0
    there = n_cases = 0
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))  # learners lie there
    wide = os.environ | {"COLUMNS": "250", "PYTHONPATH": paths}  # so wide that no reason is cut short
    with subprocess.Popen(
        command, cwd=ROOT, env=wide, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                output.append(line)
                if match := CASES_LINE.match(line):
                    there, n_cases = int(match["there"]), int(match["all"])
                    if there or match["anew"]:
                        print(f"{there} of {n_cases} cases are done{match['anew'] or ''}", flush=True)
                elif match := TEST_LINE.search(line):
                    seen.add(match["id"])
                    now, k = time.monotonic(), there + len(seen)
                    began = began or now
                    left = (now - began) * (n_cases - k) / (len(seen) - 1) if len(seen) > 1 else None
                    outcome = match["outcome"].lower() + (match["why"] or "")
                    print(f"[{k}/{n_cases}] {match['name']}: {outcome}; about {duration(left)} left", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            if n_cases:
                print(_so_far(journal, n_cases), file=sys.stderr)
            raise
    if process.returncode not in RAN or not n_cases:
        last = next((line for line in reversed(output) if line.strip()), "no output").strip("= \n")
        kept = f"; {_so_far(journal, n_cases)}, and the same command resumes" if n_cases else ""
        raise UserError(f"the benchmarks must run; pytest ended with status {process.returncode}: {last}{kept}")
    return process.returncode


def _so_far(journal: Path, n_cases: int) -> str:
    return f"{len(done(read_journal(journal)[1]))} of {n_cases} cases are done"
