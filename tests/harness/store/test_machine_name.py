"""A machine's fingerprint tells apart what makers give one name."""

from pathlib import Path

from harness.store.machine import fingerprint, title

CPUINFO = """processor : 0
cpu family : 25
model : 17
model name : AMD EPYC
stepping : 1
cpu MHz : 2596.148
flags : fpu avx2 {more}

processor : 1
cpu family : 99
"""


def machine(folder: Path, more: str = "", caches: tuple[tuple[str, str, str], ...] = ()) -> dict:
    folder.mkdir()
    (folder / "cpuinfo").write_text(CPUINFO.format(more=more))
    for n, facts in enumerate(caches):
        place = folder / "system" / "cpu0" / "cache" / f"index{n}"
        place.mkdir(parents=True)
        for name, text in zip(("level", "type", "size"), facts, strict=True):
            (place / name).write_text(f"{text}\n")
    return fingerprint(folder / "cpuinfo", folder / "system")


def environment(machine: dict | None, **more: object) -> dict:
    known = {"device": "AMD  EPYC(TM) Processor", "device_type": "cpu", "instructions": {"torch": "AVX2"}}
    return known | ({"machine": machine} if machine else {}) | more


def test_it_has_what_linux_tells(tmp_path):
    caches = (("1", "Data", "32K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"), ("3", "Unified", "32M"))
    found = machine(tmp_path / "a", "hypervisor", caches)
    assert found["model"] == "25/17/1"
    assert found["caches"] == {"L1d": 2**15, "L1i": 2**15, "L2": 2**20, "L3": 2**25}
    assert found["virtual"] is True
    assert found["megahertz"] == 2596
    assert machine(tmp_path / "b")["virtual"] is False


def test_the_highest_clock_goes_before_that_of_now(tmp_path):
    place = tmp_path / "a" / "system" / "cpu0" / "cpufreq"
    machine(tmp_path / "a")
    place.mkdir(parents=True)
    (place / "cpuinfo_max_freq").write_text("4500000\n")
    assert fingerprint(tmp_path / "a" / "cpuinfo", tmp_path / "a" / "system")["megahertz"] == 4500


def test_where_nothing_is_told_nothing_is_made_up(tmp_path):
    found = fingerprint(tmp_path / "cpuinfo", tmp_path / "system")
    assert {name for name, value in found.items() if value is not None} <= {"cores"}
    assert title(environment(found)) == "AMD EPYC Processor, AVX2"


def test_a_machine_is_called_by_what_decides_its_speed(tmp_path):
    found = machine(tmp_path / "a", "hypervisor", (("2", "Unified", "512K"), ("3", "Unified", "32M")))
    assert title(environment(found)) == "AMD EPYC Processor 25/17/1, AVX2, L2 512 KiB, L3 32 MiB, virtual"


def test_a_gpu_and_a_machine_of_an_older_file_keep_their_makers_names(tmp_path):
    found = machine(tmp_path / "a")
    assert title(environment(found, device="Some GPU", device_type="cuda")) == "Some GPU"
    assert title(environment(None)) == "AMD  EPYC(TM) Processor"
