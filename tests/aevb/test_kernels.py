"""On which processors OpenBLAS is told its kernels."""

import pytest

from aevb.fast import kernels

CPUINFO = "processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nflags\t\t: {}\n\nprocessor\t: 1\nvendor_id\t: other\n"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that writes what Linux would tell, has the kernels chosen, and returns the variable."""

    def choose(*facts):
        path = tmp_path / "cpuinfo"
        if facts:
            path.write_text(CPUINFO.format(*facts))
        found = kernels.processor(path)
        monkeypatch.setattr(kernels, "processor", lambda: found)
        kernels.choose_kernels()
        return kernels.os.environ.get(kernels.VARIABLE)

    # set first, so that it is put back afterwards whatever was there
    monkeypatch.setenv(kernels.VARIABLE, "")
    monkeypatch.delenv(kernels.VARIABLE)
    return choose


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (("AuthenticAMD", 25, "avx2 avx512f"), "Haswell"),
        (("AuthenticAMD", 25, "avx2"), None),
        (("AuthenticAMD", 26, "avx2 avx512f"), None),
        (("GenuineIntel", 25, "avx2 avx512f"), None),
        ((), None),
    ],
)
def test_the_kernels_are_chosen_for_zen_4_alone(facts, expected, told):
    assert told(*facts) == expected
    assert kernels.is_amd() == (facts[:1] == ("AuthenticAMD",))


def test_the_user_s_own_choice_is_heeded(told, monkeypatch):
    monkeypatch.setenv(kernels.VARIABLE, "SkylakeX")
    assert told("AuthenticAMD", 25, "avx512f") == "SkylakeX"
