"""From the store to the page. It reads files and never loads torch."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.claims.text import with_error
from harness.experiments.describe import choices_table
from harness.experiments.paper import DEMOS, EXPERIMENTS
from harness.figures.compare import LABELS
from harness.report.charts.benchmarks import ENGINES
from harness.report.charts.marks import dot
from harness.report.deflate import deflated
from harness.report.figures import figure_section
from harness.report.fonts import MATH
from harness.report.inventory import DATASETS, inventory
from harness.report.models import read_models
from harness.report.parts import all_parts
from harness.report.picture import Embedded, embed
from harness.report.quote import quotes
from harness.report.source import Source, run_source, table_of
from harness.report.table import noise_of_b, ratio_table
from harness.report.text import page_strings, plain, translator, words
from harness.store.files import encoded
from harness.store.shelves import Shelves
from harness.studies.marginal.table import claim_holds, worst_errors
from harness.studies.verdict import holds

MAX_CHARACTERS = 7_980_000
STYLES = ("style.css", "charts.css", "tables.css", "machine.css", "live.css", "modes.css")
MACHINE = (
    *("bound.js", "surface.js", "posterior.js", "contours.js", "canvas.js", "machine.js", "pad.js", "noise.js"),
    *("closeup.js", "plane.js", "scrubber.js", "rebuilds.js", "nats.js", "inspector.js"),
)
LIVE = ("picks.js", "duel.js", "duelview.js", "walk.js", "restoring.js", "restore.js")
SCRIPTS = ("state.js", "page.js", "chart.js", "table.js", "network.js", *MACHINE, *LIVE, "projector.js")
FOR_READERS = re.compile(r"^ *(?://.*|/\*(?:(?!\*/)[\s\S])*\*/)\n|^ +", re.MULTILINE)  # lines of comment, indentation
SHAPES = {shape: dot("", 7, 6, 4, shape).path for shape in {"circle", "diamond", *ENGINES.values()}}  # of legends


def render(shelves: Shelves, protocol: str, command: Callable[[str], str]) -> str:
    """The page as HTML, of the reader's results and, for what they lack, of those that come with the project.

    Args:
        shelves: where the results are.
        protocol: of figures 2 and 3.
        command: completes a task's options to the command line that makes what is missing.
    """
    figures = [figure_section(number, shelves, protocol) for number in EXPERIMENTS]
    shown = read_models(shelves.own / "models")
    folders = [*shelves.published_runs(), *shelves.own_runs()]
    runs = {(folder.path.name, folder.published): run_source(folder) for folder in folders}
    origins = {
        name: runs.get((str(content.get("run")), bool(content.get("published")))) for name, content in shown.items()
    }
    shown = {name: content for name, content in shown.items() if origins[name] is not None}
    planes = {str(content["dataset"]) for content in shown.values() if content["nLatent"] == 2}
    parts = all_parts(shelves)
    has = {name: not part.empty for name, part in parts.items()}
    published = {name for name, part in parts.items() if not part.empty and shelves.is_published(part.folder)}
    sources = [source for figure in figures for source in figure.sources]
    sources += [source for part in parts.values() if not part.empty for source in part.sources]
    sources += [origin for origin in origins.values() if origin is not None]
    variance = table_of(parts["study.reparameterization"].folder / "variance.csv")
    ratios = None if variance is None else ratio_table(variance, "study-reparameterization")
    marginal = table_of(parts["study.marginal"].folder / "marginal.csv")
    worst = {} if marginal is None else worst_errors(marginal)
    environment = Environment(
        loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    template, t = environment.get_template("template.html"), translator(environment)
    missing = [command(f"--demo {demo} --dataset {name}") for demo in DEMOS for name in DATASETS]

    def page(images: dict[Path, Embedded]) -> str:
        readouts: list[Any] = []

        def hold(readout: Any) -> str:
            readouts.append(readout)
            return ""

        def held() -> Markup:
            """What nobody sees before asking for it, deflated: the records, and the charts' values in their order."""
            records = environment.get_template("sources.html").render(t=t, word=words(t), sources=_in_order(sources))
            return Markup(deflated(encoded(data({"records": records, "readouts": readouts}))))

        return template.render(
            hold=hold, held=held,
            t=t, word=words(t), plain=plain, with_error=with_error, figures=figures, parts=parts, images=images,
            labels=LABELS, demos=DEMOS, datasets=DATASETS, protocol=protocol, published=published,
            demos_missing=[] if any(has[f"demo.{d}.{n}"] for d in DEMOS for n in DATASETS) else missing,
            nothing=not any(has[name] for name in has if name.startswith("study.")),
            choices=choices_table(protocol.partition("+")[0]), inventory=inventory(figures, planes, has, command),
            command=command, sources=_in_order(sources), worst=worst, ratios=ratios,
            noise_of_b=None if variance is None else noise_of_b(variance), claim=holds(claim_holds(worst)),
            strings=data(page_strings()), shapes=SHAPES, quotes=quotes(), planes=planes,
            scrubbed=any("@" in name for name in shown),
            of_models=list(dict.fromkeys(content["dataset"] for content in shown.values())),
            model_sources=list(dict.fromkeys(origin.id for name in shown if (origin := origins[name]) is not None)),
            model_data=data(shown),
            data=data, style=Markup("\n").join(map(_asset, STYLES)), script=Markup("\n").join(map(_asset, SCRIPTS)),
            math_font=f"data:font/woff;base64,{base64.b64encode(MATH.read_bytes()).decode()}",
        )  # fmt: skip

    paths = [picture.path for part in parts.values() for picture in part.pictures]
    without = page({path: Embedded("", 10_000, 1_000) for path in paths})  # sizes that are as long to write as any
    return page(embed(paths, MAX_CHARACTERS - len(encoded(without))))


def _in_order(sources: list[Source]) -> list[Source]:
    """Each once, by title, numbers as numbers."""
    once = {source.id: source for source in sources}.values()

    def key(source: Source) -> list[tuple[int, str]]:
        return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", source.title.replace(",", ""))]

    return sorted(once, key=key)


def data(value: Any) -> Markup:
    """JSON that can stand in a script element."""
    return Markup(json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))


def _asset(name: str) -> Markup:
    """A script or a style sheet without what only its reader here needs: there is more room for pictures."""
    return Markup(FOR_READERS.sub("", Path(__file__).with_name(name).read_text(encoding="utf-8")))
