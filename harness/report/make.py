"""The report from a request: train what the machine needs, write its models, render the page."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aevb.places import is_place
from aevb.threads import one_thread
from harness.experiments.paper import FIGURE4
from harness.figures.compute import compute
from harness.figures.plan import make_plan, stored_configs_of
from harness.figures.request import Request
from harness.figures.show import show_missing
from harness.pictures.models import load_trained, to_compute
from harness.report.earlier import write_earlier
from harness.report.models import SHOWN, file_name
from harness.report.page import render
from harness.report.weights import FINE, ROUGH, export
from harness.store.files import write_text
from harness.store.invocation import invocation
from harness.store.locks import in_turn
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
    print("reading what is stored and drawing the page: a minute or so …", file=sys.stderr, flush=True)
    page = request.results / "report.html"
    with in_turn(request.results / "models"):
        with one_thread():  # the steps of the rounding are small
            _write_models(request)
        write_text(page, render(request.shelves, request.protocol, commands(request)))
    print(f"wrote {page}, {page.stat().st_size / 1e6:.1f} MB")
    return not failed


def _write_models(request: Request) -> None:
    """The models for the page, and of those with two latent variables also what they were before; nothing else."""
    folder, written = request.results / "models", set[Path]()
    for config in stored_configs_of(replace(request, experiment=SHOWN)):
        kept = None if is_place(config.decoder) else request.model_of(config)  # the page computes with our decoders
        target = folder / file_name(config.dataset, config.n_latent)
        if kept is None or target in written:  # of several seeds the first
            continue
        trained = load_trained(kept)
        flat = config.n_latent == 2
        first = not any(path.name.startswith(f"{config.dataset}-") for path in written)
        export(trained, target, step=FINE if flat else ROUGH, picks=first)
        written.add(target)
        written |= {*write_earlier(trained, target)} if flat else set()
    for path in folder.glob("*.json"):
        if path not in written:
            path.unlink()  # of another protocol, or of a run that is no longer there


def commands(request: Request) -> Callable[[str], str]:
    """What completes a task's options to the command line for this request's scale, protocol and folder."""
    store = [f"--results {shlex.quote(str(request.results))}"] if str(request.results) != "results" else []
    scale = [f"--scale {request.scale}"] if request.scale != "quick" else []
    protocol = [f"--protocol {request.protocol}"] if request.protocol != "author" else []
    samples = [f"--samples {request.samples}"] if request.samples else []
    # A study has sizes of its own, and no protocol; claims are asked of what there is, of any size.
    own = {"--study": scale, "--claims": protocol, "--benchmark": [], "--report": [*scale, *samples, *protocol]}

    def command(task: str) -> str:
        how = own.get(task.partition(" ")[0], [*(samples or scale), *protocol])
        return " ".join([invocation(), task, *store, *how])

    return command
