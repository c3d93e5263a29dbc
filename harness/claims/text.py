"""Claims for people: a table with the verdicts first, and each claim with its numbers."""

import math
import textwrap
from collections.abc import Iterable, Sequence

from harness.claims.item import Item, Verdict, decider
from harness.claims.measure import Measured
from harness.figures.compare import scientific
from harness.store.invocation import invocation

WIDTH = 80  # of what is printed
PLURAL: dict[Verdict, str] = {
    "holds": "hold",
    "does not hold": "do not hold",
    "undecided": "undecided",
    "not measured": "not measured",
}
RULE = (
    "A number decides where it is two standard errors, more for few seeds (Student's t for 2), from its limit; of one "
    "seed none is known."
)


def format_table(claims: Sequence[Measured]) -> str:
    """How many hold, then a line for each claim."""
    lines = [on_the_whole(claims), "", f"{'verdict':13} {'':3} {'claim':42} {'seeds':>5} core-h GPU-h"]
    for claim in claims:
        cores, gpus = hours(claim.core_hours), hours(claim.gpu_hours)
        lines.append(f"{claim.verdict:13} {claim.id:3} {claim.title:42} {seeds(claim):>5} {cores:>6} {gpus:>5}")
    return "\n".join(lines)


def on_the_whole(claims: Sequence[Measured]) -> str:
    """How many hold, do not, are undecided and not measured."""
    verdicts = [claim.verdict for claim in claims]
    counts = {name: verdicts.count(name) for name in PLURAL}
    parts = [f"{n} {name if n == 1 else PLURAL[name]}" for name, n in counts.items() if n]
    return f"{len(claims)} claim{'s' * (len(claims) > 1)}: {', '.join(parts)}"


def format_details(claims: Iterable[Measured]) -> str:
    """Each claim with its criterion, all numbers, what measures it and what is to be known."""
    return "\n\n".join(_details(claim) for claim in claims)


def decided_by(claim: Measured) -> str:
    """The number that the verdict hangs on most, and how many others there are."""
    item = decider(claim.items)
    if item is None or not item.measured:
        return "nothing is stored yet"
    decisive = [each for each in claim.items if each.decides]
    same = sum(each.verdict == item.verdict for each in decisive)
    of = f" ({same} of {len(decisive)} {PLURAL[item.verdict]})" if len(decisive) > 1 else ""
    return f"{quantity(item)}, wanted {wanted(item)}{of}"


def quantity(item: Item) -> str:
    """What was measured, where, and the value with its error: "MNIST 3, AEVB − wake-sleep at 10⁶: 2.1 ± 0.3 nats"."""
    return f"{item.name}{place(item)}: {value(item)}"


def place(item: Item) -> str:
    """At which training samples, or up to which."""
    if math.isnan(item.end):
        return ""
    if item.begin < item.end:
        return f" to {scientific(item.end)}"
    return f" at {scientific(item.end)}" if item.end else " at the start"


def value(item: Item) -> str:
    """With its standard error, unit, and that it is of one seed; "not measured" for want of it."""
    if not item.measured:
        return "not measured"
    unit = f" {item.unit}" if item.unit else ""
    if item.seeds == 1 and math.isnan(item.standard_error):
        return f"{number(item.value)}{unit} (one seed)"
    return f"{with_error(item.value, item.standard_error)}{unit}"


def with_error(amount: float, error: float) -> str:
    """A number ± its standard error, both with as many places as the error has digits; the number alone without."""
    told = f" ± {_fixed(error, _places(amount, error))}" if error > 0 else ""
    return f"{number(amount, error)}{told}"


def number(amount: float, error: float = math.nan) -> str:
    """With as many places as the error has digits."""
    text = _fixed(abs(amount), _places(amount, error))
    return f"−{text}" if amount < 0 and text.strip("0.") else text


def wanted(item: Item) -> str:
    """The range in which the claim wants the number."""
    low, high = (f"{limit:g}".replace("-", "−") for limit in (item.low, item.high))
    if math.isfinite(item.low) and math.isfinite(item.high):
        return f"{low} to {high}"
    return f"> {low}" if math.isfinite(item.low) else f"< {high}"


def seeds(claim: Measured) -> str:
    """The fewest and the most behind a number."""
    few, many = claim.seeds
    return "–" if not many else f"{many}" if few == many else f"{few}–{many}"


def hours(spent: float) -> str:
    """With two digits; a dash where there were none."""
    return "–" if math.isnan(spent) or not spent else f"{spent:.2g}" if spent < 100 else f"{spent:,.0f}"


def cost(claim: Measured) -> str:
    """Both kinds in words: "3.1 core-hours and 0.4 GPU-hours"."""
    parts = [f"{hours(claim.core_hours)} core-hours"] if claim.core_hours or not claim.gpu_hours > 0 else []
    parts += [f"{hours(claim.gpu_hours)} GPU-hours"] if claim.gpu_hours > 0 else []
    return " and ".join(parts)


def _details(claim: Measured) -> str:
    paragraphs = [
        f"{claim.id}  {claim.sentence} ({claim.where})",
        f"holds if: {claim.criterion}",
        *([f"note: {claim.note}"] if claim.note else []),
        *(f"- {line(item)}" for item in claim.items),
        f"by: {'; '.join(f'{invocation()} {options}' for options in claim.commands)}",
        f"{claim.verdict}, {cost(claim)}: {decided_by(claim)}",
    ]
    first, *others = paragraphs
    rest = [
        textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
        for text in others
    ]
    return "\n".join([textwrap.fill(first, WIDTH, subsequent_indent="    "), *rest])


def line(item: Item) -> str:
    """All that is known of a number."""
    parts = [quantity(item)]
    parts += [f"wanted {wanted(item)}: {item.verdict}"] if item.decides and item.measured else []
    parts += [f"{item.seeds} seeds"] if item.seeds > 1 else []
    parts += [f"the paper's curves: {number(item.paper)}"] if not math.isnan(item.paper) else []
    parts += [item.note] if item.note else []
    return "; ".join(parts)


def _places(amount: float, error: float) -> int:
    """Decimals: one digit of the error, two where it begins with 1; three digits of the number without."""
    if error > 0 and math.isfinite(error):
        exponent = math.floor(math.log10(error))
        return min(max(-exponent + (error / 10**exponent < 2), int(error < 10)), 4)
    return 1 if abs(amount) >= 10 or amount == 0 else 2


def _fixed(amount: float, places: int) -> str:
    if math.isinf(amount):
        return "∞"
    return f"{amount:,.{places}f}" if amount < 1e6 else scientific(float(f"{amount:.1e}"))
