"""Where and with what a run was computed."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "numpy", "scipy")
INSTALLED = "aevb"  # name of the installed command


def describe(device: torch.device) -> dict[str, Any]:
    """Commit, versions, device, threads and the date, as JSON values."""
    return {
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def program() -> str:
    """How this process was called: "aevb" where the project is installed, else "reproduce.py"."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "reproduce.py"


def invocation() -> str:
    """What a user types before the options."""
    return INSTALLED if program() == INSTALLED else "python reproduce.py"


def _commit() -> str:
    """Commit of the project's own checkout, marked where source files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", "*.py"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + (" with changes" if changed.strip() else "")


def cpu_name() -> str:
    """The processor's name, as its maker has it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
