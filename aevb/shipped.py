"""Where the results lie that come with the project: beside the packages in a checkout, within this one in a wheel."""

from pathlib import Path

from aevb.errors import UserError

_WITHIN = Path(__file__).resolve().parent / "results"

CHECKOUT = not _WITHIN.is_dir()
"""The packages are those of a checkout, not an installed copy."""

_RESULTS = _WITHIN.parents[1] / "results" if CHECKOUT else _WITHIN

PAPER = _RESULTS / "published"
"""The paper's own curves."""

RESULTS = _RESULTS / "reference"
"""What this project has measured and published."""


def restore(name: str) -> str:
    """What a user does where a file of the project is damaged; `name` is its own, or its folder's, in a checkout."""
    return f"restore it with `git checkout -- {name}`" if CHECKOUT else "reinstall the project"


def need_checkout(option: str) -> None:
    """Raises UserError where this is an installed copy, which lacks what the option needs."""
    if not CHECKOUT:
        raise UserError(
            f"{option} must run in a checkout of the project; {_WITHIN.parents[1]} has an installed copy: "
            f"get the project's sources, and call `python reproduce.py {option}` there"
        )
