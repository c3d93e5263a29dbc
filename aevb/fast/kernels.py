"""Which kernels NumPy's OpenBLAS takes, which it decides once: when NumPy is imported."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

VARIABLE, KERNELS = "OPENBLAS_CORETYPE", "Haswell"
CPUINFO = Path("/proc/cpuinfo")


def choose_kernels(cpuinfo: Path = CPUINFO) -> None:
    """Those of AVX2 on Zen 4; whoever has set OPENBLAS_CORETYPE is heeded. Call it before NumPy is imported.

    OpenBLAS sees AVX-512 there and takes kernels made for Intel's processors. Zen 4 does such instructions in two
    halves: they gain nothing, and products by a transposed matrix take a quarter more time.
    """
    # Family 25 is Zen 3, which has no AVX-512, and Zen 4, which has.
    family, flags = cpu_facts(cpuinfo).get("cpu family"), cpu_facts(cpuinfo).get("flags", "").split()
    if VARIABLE not in os.environ and is_amd(cpuinfo) and family == "25" and "avx512f" in flags:
        os.environ[VARIABLE] = KERNELS


def is_amd(cpuinfo: Path = CPUINFO) -> bool:
    """Linux says that the processor is AMD's."""
    return cpu_facts(cpuinfo).get("vendor_id") == "AuthenticAMD"


@cache
def cpu_facts(cpuinfo: Path) -> Mapping[str, str]:
    """What Linux tells of the first processor; nothing on other systems."""
    first = cpuinfo.read_text(errors="replace").partition("\n\n")[0] if cpuinfo.exists() else ""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
