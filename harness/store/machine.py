"""A machine's fingerprint: what of it decides how fast it computes, since makers give many machines one name."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aevb.fast.kernels import CPUINFO, cpu_facts

SYSTEM = Path("/sys/devices/system/cpu")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def fingerprint(cpuinfo: Path = CPUINFO, system: Path = SYSTEM) -> dict[str, Any]:
    """Model, caches of a core in bytes, cores, clock in MHz and whether the machine is virtual; None where not told.

    The model is family, model and stepping on x86 processors, whose names may be no more than "Processor". The clock is
    the highest that the system knows, else that of now.
    """
    facts = cpu_facts(cpuinfo)
    numbers = [facts[name] for name in ("cpu family", "model", "stepping") if name in facts]
    highest = _number(system / "cpu0" / "cpufreq" / "cpuinfo_max_freq")
    now = facts.get("cpu MHz")
    return {
        "model": "/".join(numbers) or None,
        "caches": _caches(system),
        "cores": os.cpu_count(),
        "megahertz": highest / 1000 if highest else round(float(now)) if now else None,
        "virtual": "hypervisor" in facts["flags"].split() if "flags" in facts else None,
    }


def title(environment: Mapping[str, Any]) -> str:
    """What a machine is called in tables: a GPU's name; of a CPU its name, model, instructions and caches.

    Args:
        environment: that of a result; older ones have no fingerprint, and are called what their makers call them.
    """
    name, machine = str(environment["device"]), environment.get("machine")
    if environment.get("device_type") == "cuda" or not machine:
        return name
    name = re.sub(r" +", " ", re.sub(r"\((R|TM)\)", "", name)).strip()
    caches = machine["caches"] or {}
    return ", ".join(
        [
            f"{name} {machine['model']}" if machine["model"] else name,
            *([environment["instructions"]["torch"]] if environment.get("instructions") else []),
            *(f"{level} {_binary(size)}" for level, size in caches.items() if level in ("L2", "L3")),
            *(["virtual"] if machine["virtual"] else []),
        ]
    )


def _caches(system: Path) -> dict[str, int] | None:
    """Bytes by name: L1d, L1i, L2 and so on."""
    found = {}
    for folder in sorted((system / "cpu0" / "cache").glob("index*")):
        level, kind, size = (_text(folder / name) for name in ("level", "type", "size"))
        if level and size and size[:-1].isdigit() and size[-1] in UNITS:
            suffix = {"Data": "d", "Instruction": "i"}.get(kind or "", "")
            found[f"L{level}{suffix}"] = int(size[:-1]) * UNITS[size[-1]]
    return found or None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path) or ""
    return int(text) if text.isdigit() else None


def _binary(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"
