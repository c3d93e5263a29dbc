"""The report from a request: train what the explorer needs, write its models, render the page."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace

from harness.experiments.paper import FIGURE4
from harness.figures.compute import compute
from harness.figures.plan import make_plan, stored_configs_of
from harness.figures.request import Request
from harness.figures.show import show_missing
from harness.pictures.models import load_trained, to_compute
from harness.report.page import render
from harness.report.weights import export
from harness.store.files import write_text
from harness.store.invocation import invocation
from harness.workers.progress import Display


def make_report(request: Request, *, train: bool) -> bool:
    """Write report.html into the results; False where a model could not be trained.

    Args:
        request: its scale, protocol, device and folders.
        train: train the models with two latent variables that neither the store has nor come with the project.

    Raises:
        UserError: a kept model is damaged, or the folder cannot be written.
    """
    request = replace(request, experiment=FIGURE4)
    failed = False
    models = [request.model_of(config) for config in stored_configs_of(request)]
    if train and not all(model is not None and model.samples >= request.length for model in models):
        plan = make_plan(request)
        left = to_compute(plan, request, from_published=True)
        for failure in compute(left, request, Display()) if left.jobs else ():
            print(failure, file=sys.stderr)
            failed = True
        show_missing(plan, request)
    for config in stored_configs_of(request):
        kept = request.model_of(config)
        target = request.results / "models" / f"{config.dataset}.json"
        if kept is not None:
            export(load_trained(kept), target)
        else:
            target.unlink(missing_ok=True)  # of another protocol, or of a run that is no longer there
    page = request.results / "report.html"
    write_text(page, render(request.shelves, request.protocol, commands(request)))
    print(f"wrote {page}, {page.stat().st_size / 1e6:.1f} MB")
    return not failed


def commands(request: Request) -> Callable[[str], str]:
    """What completes a task's options to the command line for this request's scale, protocol and folder."""
    store = [f"--results {shlex.quote(str(request.results))}"] if str(request.results) != "results" else []
    scale = [f"--scale {request.scale}"] if request.scale != "quick" else []
    protocol = [f"--protocol {request.protocol}"] if request.protocol != "author" else []
    how = [*([f"--samples {request.samples}"] if request.samples else []), *protocol]

    def command(task: str) -> str:
        if task == "--claims":  # on what there is, of any size
            return " ".join([invocation(), task, *store, *protocol])
        # A study has sizes of its own, and no protocol.
        return " ".join([invocation(), task, *store, *scale, *([] if task.startswith("--study") else how)])

    return command
