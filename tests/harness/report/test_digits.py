"""Cells of the page's tables are set as print sets numbers, and still sorted by what they are worth."""

import pytest

from harness.report.digits import tidy

IN_PRINT = {
    "-134.8 ± 4.3": "−134.8 ± 4.3",
    "−0.0 ± 1.3": "0.0 ± 1.3",
    "+0.00 ± 0.95": "+0.00 ± 0.95",
    "−93338": "−93,338",
    "36.6 → 97320": "36.6 → 97,320",
    "−3e+05 ± 2e+05": "−3·10⁵ ± 2·10⁵",
    "4.13e-08 ± 1e−10": "4.13·10⁻⁸ ± 10⁻¹⁰",
    "51086.9 GFLOP/s": "51,086.9 GFLOP/s",
    "83,538 ± 1,068": "83,538 ± 1,068",
    "+14.26 ± 25.67 [5]": "+14.26 ± 25.67 [5]",
    "1, 4 diverged": "1, 4 diverged",
}
AS_THEY_ARE = (
    "7805e7438580+",
    "123456789012",
    "AMD EPYC 25/17/1, AVX512, L2 1 MiB",
    "0.948–1.083",
    "2013-12-20",
    "float32",
    "–",
    "10⁶",
)


@pytest.mark.parametrize("cell", IN_PRINT)
def test_a_number_is_set_as_print_does(cell):
    assert tidy(cell) == IN_PRINT[cell]
    assert tidy(IN_PRINT[cell]) == IN_PRINT[cell]


@pytest.mark.parametrize("cell", AS_THEY_ARE)
def test_what_is_no_number_by_itself_stays(cell):
    assert tidy(cell) == cell
