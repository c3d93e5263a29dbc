"""Where the results lie that come with the project: beside the packages in a checkout, within this one in a wheel."""

from pathlib import Path

_WITHIN = Path(__file__).resolve().parent / "results"
_RESULTS = _WITHIN if _WITHIN.is_dir() else _WITHIN.parents[1] / "results"

PAPER = _RESULTS / "published"
"""The paper's own curves."""

RESULTS = _RESULTS / "reference"
"""What this project has measured and published."""
