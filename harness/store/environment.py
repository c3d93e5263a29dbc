"""Where, with what and at whose word a result was computed."""

import multiprocessing
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from harness.store.checkout import state

ROOT = Path(__file__).resolve().parents[2]
CPUINFO = Path("/proc/cpuinfo")
INSTALLED = "aevb"  # name of the project and of its installed command
# Those on which sums and products of matrices depend, as Linux names them.
INSTRUCTIONS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"),
    *("asimd", "bf16", "sve", "sve2"),
)


def describe(device: torch.device, command: str = "") -> dict[str, Any]:
    """Commit and diff, command, versions, device, instructions, threads and the date, as JSON values.

    Args:
        device: that computes.
        command: that asked for the result; this process's own where none is given.
    """
    commit, diff = _own_checkout()
    return {
        "commit": commit + (" with changes" if diff else ""),
        "version": packages().get(INSTALLED, ""),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command or command_line(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "device_type": device.type,
        "instructions": instructions(),
        "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {**packages()},
        "diff": diff,
    }


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


@cache
def packages() -> Mapping[str, str]:
    """Versions of all that is installed, by normalised names (PEP 503)."""
    found: dict[str, str] = {}
    for each in distributions():
        try:
            known = each.metadata
        except FileNotFoundError:  # which importlib_metadata raises, once a package has put it in the place of ours
            continue
        if known and "Name" in known and "Version" in known:  # an interrupted installation leaves some without
            found.setdefault(re.sub(r"[-_.]+", "-", known["Name"]).lower(), known["Version"])
    return dict(sorted(found.items()))


def cpu_name() -> str:
    """The processor's name, as its maker has it."""
    return _cpuinfo(CPUINFO).get("model name") or platform.processor() or platform.machine()


def instructions(cpuinfo: Path = CPUINFO) -> dict[str, Any]:
    """What torch's own kernels are chosen for, and which of `INSTRUCTIONS` the processor has, where Linux tells it."""
    facts = _cpuinfo(cpuinfo)
    has = {*(facts.get("flags") or facts.get("Features") or "").split()}
    return {
        "torch": torch.backends.cpu.get_cpu_capability(),
        "processor": [name for name in INSTRUCTIONS if name in has],
    }


@cache
def _own_checkout() -> tuple[str, str]:
    """As it was when first asked: what the process has loaded does not change."""
    return state(ROOT)


@cache
def _cpuinfo(path: Path) -> Mapping[str, str]:
    """What Linux tells of the first processor; nothing on other systems."""
    first = path.read_text().split("\n\n", 1)[0] if path.exists() else ""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
