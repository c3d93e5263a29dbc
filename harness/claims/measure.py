"""Every claim measured: its numbers, its verdict, the command and what that costs; and the same in a file."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.claims import better, bounds, choices, gradients, marginals, overfitting, speed
from harness.claims.item import Item, Verdict, together
from harness.claims.results import Hours, Results
from harness.claims.roster import AEVB_ITSELF, CLAIMS, Claim, Length
from harness.store.invocation import invocation
from harness.store.tables import read_json, reading, showing

Measure = Callable[[Results], list[Item]]
MEASURES: Mapping[str, Measure] = {
    "C1": better.better_and_faster,
    "C2": overfitting.no_overfitting,
    "C3": bounds.small_noise,
    "C4": gradients.naive_is_noisy,
    "C5": gradients.b_is_quieter,
    "C6": gradients.one_sample_suffices,
    "C7": speed.equal_cost,
    "C8": marginals.mcem,
    "C9": marginals.appendix_d,
    "C10": speed.minutes_per_million,
    "C11": bounds.smooth_and_better,
    "C12": choices.made_as_the_text_says,
    "C13": better.better_marginals,
}
SHORTEST: Length = ((0, 1, 2), 0.0)  # what a command asks for at least: the verdict needs several seeds
DIGITS = 6  # of numbers in files
LONGEST_TITLE = 42


@dataclass(frozen=True)
class Measured:
    """A claim, and what was measured of it.

    Attributes:
        id: of the claim, as the next five.
        title: short.
        sentence: what is claimed.
        where: in the paper.
        criterion: when it holds.
        note: what a reader must know.
        verdict: by the rule of all verdicts.
        items: the numbers.
        commands: options of what computes them.
        core_hours: that the stored runs took on CPUs; NaN where nothing is stored.
        gpu_hours: that they took on GPUs; NaN where nothing is stored, as of older files.
    """

    id: str
    title: str
    sentence: str
    where: str
    criterion: str
    note: str
    verdict: Verdict
    items: tuple[Item, ...]
    commands: tuple[str, ...]
    core_hours: float
    gpu_hours: float = math.nan

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most seeds of a measured number that decides; zeros where none is of runs."""
        found = [item.seeds for item in self.items if item.decides and item.measured and item.seeds]
        return (min(found), max(found)) if found else (0, 0)


def measure_claims(results: Results, names: Iterable[str] = ()) -> list[Measured]:
    """The claims of these names, or all, in the order of the roster.

    Raises:
        UserError: what is stored is not as it was written.
    """
    wanted = {*names}
    return [_measure_stored(claim, results) for claim in CLAIMS if not wanted or claim.id in wanted]


def _measure_stored(claim: Claim, results: Results) -> Measured:
    commands = _commands(claim, results, [SHORTEST])
    makes = " or ".join(f"`{invocation()} {command}`" for command in commands)
    with showing(results.shelves.own, f"what {claim.id} is measured on is made anew by {makes}"):
        return _measure(claim, results)


def _measure(claim: Claim, results: Results) -> Measured:
    items = MEASURES[claim.id](results)
    commands = _commands(claim, results, _lengths(items))
    spent = [hours for source in claim.sources if (hours := results.hours(source)) is not None]
    hours = sum(spent, Hours(0.0, 0.0)) if spent else Hours(math.nan, math.nan)
    told = {name: getattr(claim, name) for name in ("id", "title", "sentence", "where", "criterion", "note")}
    if results.method != AEVB_ITSELF:
        told["title"] = claim.title.replace("AEVB", results.name)[:LONGEST_TITLE]
        told["sentence"] = f"With {results.name} in AEVB's place: {claim.sentence}"
    return Measured(
        **told, verdict=together(items), items=tuple(items), commands=commands,
        core_hours=hours.cores, gpu_hours=hours.gpus,
    )  # fmt: skip


def _commands(claim: Claim, results: Results, lengths: Sequence[Length]) -> tuple[str, ...]:
    sources = [source.with_method(results.method) for source in claim.sources]
    return tuple(options for source in sources for options in source.commands(lengths, results.protocol))


def _lengths(items: Iterable[Item]) -> list[Length]:
    """Of which seeds, and to how many training samples, runs must go that all of these numbers are measured on."""
    ends = {(item.names, item.end) for item in items if item.measured and item.seeds and item.end > 0}
    within = {
        (seeds, end)
        for seeds, end in ends
        for others, farther in ends - {(seeds, end)}
        if {*seeds} <= {*others} and end <= farther
    }
    return sorted(ends - within, key=lambda length: (length[1], length[0])) or [SHORTEST]


def to_json(claims: Iterable[Measured]) -> str:
    """For a file: numbers of six digits; what is not known is null, and what is infinite a word."""
    rows = [{**_plain(claim), "items": [_plain(item) for item in claim.items]} for claim in claims]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def from_json(path: Path) -> list[Measured]:
    """What `to_json` said.

    Raises:
        UserError: the file says something else.
    """
    content = read_json(path, list)
    with reading(path):
        return [
            Measured(**{
                **_numbers(claim, Measured),
                "items": tuple(Item(**_numbers(item, Item)) for item in claim["items"]),
                "commands": tuple(claim["commands"]),
            })
            for claim in content
        ]  # fmt: skip


def _floats(kind: type) -> set[str]:
    return {field.name for field in fields(kind) if field.type in (float, "float")}


def _plain(row: Measured | Item) -> dict[str, Any]:
    """Its fields as JSON has them."""
    floats = _floats(type(row))
    return {name: _plain_number(value) if name in floats else value for name, value in vars(row).items()}


def _plain_number(value: float) -> float | str | None:
    number = float(f"{value:.{DIGITS}g}")
    return number if math.isfinite(number) else None if math.isnan(number) else str(number)


def _numbers(content: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Null and words of a number's field are numbers again."""
    floats = _floats(kind)
    return {
        name: (math.nan if value is None else float(value)) if name in floats else value
        for name, value in content.items()
    }
