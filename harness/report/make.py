"""The report from a request: train what the explorer needs, write its models, render the page."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace

from harness.experiments.paper import FIGURE4
from harness.figures.compute import compute
from harness.figures.plan import Request, make_plan
from harness.figures.show import show_missing
from harness.pictures.models import reuse
from harness.report.page import render
from harness.report.weights import export
from harness.store.environment import invocation
from harness.store.files import write_text
from harness.store.find import find_run
from harness.workers.progress import Display


def make_report(request: Request, *, train: bool) -> bool:
    """Write report.html into the scale's folder; False where a model could not be trained.

    Args:
        request: its scale, protocol, device and folders.
        train: train the models with two latent variables that the store lacks.

    Raises:
        UserError: a checkpoint is damaged, or the folder cannot be written.
    """
    request = replace(request, experiment=FIGURE4)
    store, datasets = request.results / request.scale.name, list(FIGURE4.panels)
    failed = False
    if train:
        plan = reuse(make_plan(request), request)
        for failure in compute(plan, request, Display()):
            print(failure, file=sys.stderr)
            failed = True
        show_missing(plan)
    for config in FIGURE4.configs(request.scale, request.protocol, datasets, request.seeds):
        run = find_run(request.results, request.scale.name, config)
        target = store / "models" / f"{config.dataset}.json"
        if run is not None:
            export(run, request.data, target)
        else:
            target.unlink(missing_ok=True)  # of another protocol, or of a run that is no longer there
    page = store / "report.html"
    write_text(page, render(request.results, request.scale, request.protocol, commands(request)))
    print(f"wrote {page}, {page.stat().st_size / 1e6:.1f} MB")
    return not failed


def commands(request: Request) -> Callable[[str], str]:
    """What completes a task's options to the command line for this request's scale, protocol and folder."""
    name, _, samples = request.scale.name.partition("-")
    where = [f"--results {shlex.quote(str(request.results))}"] if str(request.results) != "results" else []
    where += [f"--scale {name}"] if name != "quick" else []
    how = [f"--samples {samples}"] if samples else []
    how += [f"--protocol {request.protocol}"] if request.protocol != "author" else []

    def command(task: str) -> str:
        # A study has sizes of its own, and no protocol.
        return " ".join([invocation(), task, *where, *([] if task.startswith("--study") else how)])

    return command
