"""Which kernels NumPy's OpenBLAS takes, which it decides once: when NumPy is imported."""

import os
from functools import cache
from pathlib import Path

VARIABLE, KERNELS = "OPENBLAS_CORETYPE", "Haswell"


def choose_kernels() -> None:
    """Those of AVX2 on Zen 4; whoever has set OPENBLAS_CORETYPE is heeded. Call it before NumPy is imported.

    OpenBLAS sees AVX-512 there and takes kernels made for Intel's processors. Zen 4 does such instructions in two
    halves: they gain nothing, and products by a transposed matrix take a quarter more time.
    """
    # Family 25 is Zen 3, which has no AVX-512, and Zen 4, which has.
    vendor, family, flags = processor()
    if VARIABLE not in os.environ and (vendor, family) == ("AuthenticAMD", "25") and "avx512f" in flags:
        os.environ[VARIABLE] = KERNELS


def is_amd() -> bool:
    """Linux says that the processor is AMD's."""
    return processor()[0] == "AuthenticAMD"


@cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, str, frozenset[str]]:
    """Its vendor, family and features; empty where Linux does not tell."""
    first = cpuinfo.read_text(errors="replace").partition("\n\n")[0] if cpuinfo.exists() else ""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    return facts.get("vendor_id", ""), facts.get("cpu family", ""), frozenset(facts.get("flags", "").split())
