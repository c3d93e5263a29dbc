"""What the page can show, what of it the store has, and the command that makes the rest."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from harness.experiments.paper import DEMOS
from harness.figures.compare import label
from harness.report.figures import FigureSection

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

    @property
    def complete(self) -> bool:
        """Nothing is missing."""
        return self.done == self.of


def inventory(
    figures: Sequence[FigureSection], models: Collection[str], has: Mapping[str, bool], command: Callable[[str], str]
) -> list[Item]:
    """Everything, in the order of the page.

    Args:
        figures: 2 and 3.
        models: datasets that have a model with two latent variables.
        has: the page's other parts by name, and whether there is anything to show.
        command: completes a task's options to a command line.
    """
    items = [Item(("item.models", ""), command("--report"), len(models), len(DATASETS))]
    items += [
        Item(("item.figure", str(f.figure)), command(f"--figure {f.figure}"), f.wanted - f.absent, f.wanted)
        for f in figures
    ]
    items += [Item(("item.figure", str(n)), command(f"--figure {n}"), int(has[f"figure{n}"]), 1) for n in (4, 5)]
    for demo, dataset in product(DEMOS, DATASETS):
        line = command(f"--demo {demo} --dataset {dataset}")
        items.append(Item(("item.demo", f"{demo}, {label(dataset)}"), line, int(has[f"demo.{demo}.{dataset}"]), 1))
    for study in ("choices", "step-sizes", "gaps", "marginal", "reparameterization", "models"):
        items.append(Item((f"item.study.{study}", ""), command(f"--study {study}"), int(has[f"study.{study}"]), 1))
    items.append(Item(("item.claims", ""), command("--claims"), int(has["claims"]), 1))
    return [*items, Item(("item.benchmarks", ""), command("--benchmark"), int(has["benchmarks"]), 1)]
