"""What the page can show, what of it the store has, and the command that makes the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from harness.figures.compare import label
from harness.report.figures import FigureSection

DEMOS = ("generate", "reconstruct", "interpolate", "denoise", "inpaint")
DATASETS = ("mnist", "frey_face")


@dataclass(frozen=True)
class Item:
    """A part of the page.

    Attributes:
        name: key of its name in the page's text, and what is inserted there.
        command: that makes it.
        done: of `of` pieces.
    """

    name: tuple[str, str]
    command: str
    done: int
    of: int


def inventory(
    store: Path, figures: list[FigureSection], models: list[str], command: Callable[[str], str]
) -> list[Item]:
    """Everything, in the order of the page; `command` completes a task's options to a command line."""
    items = [Item(("item.models", ""), command("--report"), len(models), len(DATASETS))]
    items += [
        Item(("item.figure", str(f.figure)), command(f"--figure {f.figure}"), f.wanted - f.absent, f.wanted)
        for f in figures
    ]
    items += [
        Item(
            ("item.figure", str(n)),
            command(f"--figure {n}"),
            int((store / f"figure{n}" / f"figure{n}.png").exists()),
            1,
        )
        for n in (4, 5)
    ]
    for demo, dataset in product(DEMOS, DATASETS):
        drawn = any((store / "demos" / f"{dataset}-{demo}").glob("*.png"))
        line = command(f"--demo {demo} --dataset {dataset}")
        items.append(Item(("item.demo", f"{demo}, {label(dataset)}"), line, int(drawn), 1))
    for study in ("marginal", "reparameterization"):
        done = int(any((store / study).glob("*.csv")))
        items.append(Item((f"item.{study}", ""), command(f"--study {study}"), done, 1))
    done = int(any((store.parent / "benchmarks").glob("*.[cj]s*")))
    return [*items, Item(("item.benchmarks", ""), command("--benchmark"), done, 1)]
