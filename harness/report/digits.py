"""Numbers as print sets them: a minus that is one, commas between thousands, powers of ten."""

import re

from harness.figures.compare import scientific
from harness.report.charts.axis import MINUS

NUMBER = re.compile(r"(?<![^\s(\[])([-−+]?)(\d+)((?:\.\d+)?)(?:e([-−+]?\d{1,3}))?(?=$|[\s)\]%]|,\s)")
MOST_DIGITS = 9  # more are no number but the name of a commit


def tidy(cell: str) -> str:
    """A table's cell with its numbers in print; what is no number by itself stays: 1e-08 becomes 10⁻⁸."""
    return NUMBER.sub(_print, cell)


def _print(match: re.Match[str]) -> str:
    sign, whole, part, exponent = match.groups()
    if not (whole + part).strip("0."):
        sign = sign.strip(f"-{MINUS}")
    sign = sign.replace("-", MINUS)
    if exponent is not None:
        power = scientific(10.0 ** int(exponent.replace(MINUS, "-")))
        return f"{sign}{power}" if whole + part == "1" else f"{sign}{whole}{part}·{power}"
    return f"{sign}{int(whole):,}{part}" if 3 < len(whole) <= MOST_DIGITS else f"{sign}{whole}{part}"
