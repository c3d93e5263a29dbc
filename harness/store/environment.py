"""Where, with what and at whose word a result was computed."""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from aevb.fast.kernels import CPUINFO, cpu_facts
from harness.store.checkout import ROOT, state
from harness.store.invocation import INSTALLED, command_line

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
        "arithmetic": arithmetic(),
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


@cache
def arithmetic() -> str:
    """Twelve hexadecimal digits of the code that computes a run: another version may round otherwise."""
    digest = hashlib.sha256()
    for folder in ("aevb", "baselines", "harness/runs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\n{path.read_text(encoding='utf-8')}".encode())
    return digest.hexdigest()[:12]


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
    return cpu_facts(CPUINFO).get("model name") or platform.processor() or platform.machine()


def instructions(cpuinfo: Path = CPUINFO) -> dict[str, Any]:
    """What torch's own kernels are chosen for, and which of `INSTRUCTIONS` the processor has, where Linux tells it."""
    facts = cpu_facts(cpuinfo)
    has = {*(facts.get("flags") or facts.get("Features") or "").split()}
    return {
        "torch": torch.backends.cpu.get_cpu_capability(),
        "processor": [name for name in INSTRUCTIONS if name in has],
    }


@cache
def _own_checkout() -> tuple[str, str]:
    """As it was when first asked: what the process has loaded does not change."""
    return state(ROOT)
