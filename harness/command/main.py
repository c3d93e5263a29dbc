"""The command: what the options ask for, done; its answer is the exit status."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from itertools import chain
from pathlib import Path

from aevb.data import NAMES, DatasetUnavailable
from aevb.errors import UserError
from harness.check.command import run_check, update_reference
from harness.claims.show import show_claims
from harness.command.catalogue import show_catalogue
from harness.command.options import read_options, read_request
from harness.experiments.config import Config
from harness.experiments.paper import PICTURES
from harness.experiments.protocols import check_protocol
from harness.figures.compute import compute
from harness.figures.plan import Plan, make_plan, stored_configs_of
from harness.figures.reestimate import reestimate_all
from harness.figures.request import Request
from harness.figures.show import NothingToDraw, publish, show_missing, show_plan
from harness.pictures.demos import show_demo
from harness.pictures.latent_space import publish_pictures
from harness.pictures.models import to_compute
from harness.pictures.scene import chosen_points
from harness.report.earlier import publish_earlier
from harness.report.make import make_report
from harness.runs.job import Job, source
from harness.runs.migrate import migrate
from harness.runs.publish import publish_runs
from harness.runs.verify import anew, check_named, find_runs, verify
from harness.store.files import unusable
from harness.store.invocation import program
from harness.store.locks import in_turn
from harness.store.run_folder import RunFolder
from harness.store.tables import showing
from harness.studies.choices import study as study_choices
from harness.studies.gaps import study as study_gaps
from harness.studies.marginal import study as study_marginal
from harness.studies.models import study as study_models
from harness.studies.reparameterization import study as study_reparameterization
from harness.studies.step_sizes import study as study_step_sizes
from harness.timing.against import show_against
from harness.timing.run import show_benchmarks, show_measured
from harness.timing.to_target import show_to_target
from harness.workers.parts import PartsFailed, study_folder
from harness.workers.progress import Display
from harness.workers.schedule import WorkerDied

STUDIES = {
    "choices": study_choices.show_study,
    "gaps": study_gaps.show_study,
    "marginal": study_marginal.show_study,
    "models": study_models.show_study,
    "reparameterization": study_reparameterization.show_study,
    "step-sizes": study_step_sizes.show_study,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 a run failed, 2 wrong request, 130 interrupted."""
    options = argparse.Namespace(force=False, check=False)
    try:
        options = read_options(arguments)
        request = read_request(options)
        if options.list:
            show_catalogue(request)
        elif options.claims is not None:
            check_protocol(request.protocol)
            show_claims(request.shelves, request.protocol, options.claims, *request.methods)
        elif options.study:
            show_study(request, options)
        elif options.demo:
            return demonstrate(request, options)
        elif options.report:
            remedy = "--study NAME --plot-only and --benchmark --plot-only tell what it is; compute that anew"
            with showing(request.results, remedy):
                return 0 if make_report(request, train=not options.plot_only) else 1
        elif options.benchmark:
            return 0 if measure_speed(options) else 1
        elif options.verify:
            return 0 if verify_runs(request, options.verify) else 1
        elif options.publish:
            for line in chain(
                publish_runs(request.shelves, request.data, request.protocol), publish_earlier(request.shelves)
            ):
                print(line, flush=True)
        elif options.migrate:
            print(*migrate(request.results) or ["there is nothing of an older version"], sep="\n")
        elif options.check:
            return 0 if check_results(options) else 1
        else:
            return reproduce(request, options)
    except UserError as error:
        print(f"{program()}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:  # of a stream
            raise
        print(f"{program()}: error: {unusable(error)}", file=sys.stderr)
        return 2
    except PartsFailed as error:
        print(*error.failures, sep="\n", file=sys.stderr)
        return 1
    except WorkerDied as error:
        print(f"failed: {error}; the same command resumes", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        without = " without --force" if options.force else ""
        goes_on = "begins anew" if options.check else "resumes"
        print(f"interrupted; the same command{without} {goes_on}", file=sys.stderr)
        return 130
    return 0


def reproduce(request: Request, options: argparse.Namespace) -> int:
    """The figure, as far as the options say."""
    pictures = options.figure in PICTURES
    if options.plot_only:
        show(request, stored_configs_of(request), Plan([]))
        return 0
    plan = make_plan(request)
    if pictures:
        plan = to_compute(plan, request, from_published=False)
    if options.dry_run:
        show_plan(plan, request)
        return 0
    failures = compute(plan, request, Display())
    if options.re_estimate:
        failures += reestimate_all(plan.jobs, request.place)
    for failure in failures:
        print(failure, file=sys.stderr)
    with suppress(NothingToDraw) if failures else nullcontext():  # why has been told
        show(request, [job.config for job in plan.jobs], plan)
    show_missing(plan, request)
    return 1 if failures or tell_diverged(plan, request) else 0


def tell_diverged(plan: Plan, request: Request) -> bool:
    """Whether runs that were asked for by name are not as far as that, because they diverged; each is told."""
    if not (request.datasets or request.sizes or request.methods):
        return False
    found = [(job.config.name, job.folder.status()) for job in plan.jobs]
    diverged = [(name, status) for name, status in found if status is not None and status.state == "diverged"]
    for name, status in diverged:
        print(f"not completed: {name}: diverged: {status.reason or status.message}", file=sys.stderr)
    return bool(diverged)


def show(request: Request, configs: Sequence[Config], plan: Plan) -> None:
    """Draw what the store holds; where another command draws the same figure, after it, lest older curves win."""
    with in_turn(request.folder) if request.shelves.runs.is_dir() else nullcontext():
        if request.experiment.figure in PICTURES:
            publish_pictures(request, configs, plan.missing)
        else:
            arrays = {config.dataset: config.data_sha256 for config in configs if config.data_sha256}
            publish(request, plan.missing, arrays)


def verify_runs(request: Request, wanted: Sequence[str]) -> bool:
    """Compute stored runs anew; whether all agree with what is stored."""
    named = {*request.methods}
    arrays = {Path(dataset).name: source(dataset) for dataset in request.datasets if dataset not in NAMES}

    def job(folder: RunFolder, root: Path, samples: int) -> Job:
        config = folder.config
        if not {*config.places} <= named:  # a stored file does not choose what is imported
            places = " ".join(config.places)
            raise UserError(f"{config.name} is of code of yours, {places}: name it with --method {places}")
        if config.data_sha256 and config.dataset not in arrays:
            raise UserError(f"{config.name} is on an array of yours: name it with --dataset {config.dataset}")
        return anew(folder, root, samples, arrays.get(config.dataset, request.data), request.device, request.command)

    folders = find_runs(request.shelves, wanted)
    check_named(folders, request.datasets, request.methods)
    return verify(folders, job, request.samples, request.place, lambda line: print(line, flush=True))


def show_study(request: Request, options: argparse.Namespace) -> None:
    """A study, computed or as it is stored."""
    folder, remedy = study_folder(request.results, options.study), "the command without --plot-only writes it anew"
    with showing(folder, remedy) if options.plot_only else nullcontext():
        STUDIES[options.study](request)


def measure_speed(options: argparse.Namespace) -> bool:
    """The benchmarks, time to a target, or how this tree compares with a commit; whether all is as it should be."""
    if options.to_target:
        show_to_target(options.results)
        return True
    if options.plot_only:
        with showing(options.results / "benchmarks", "move away what was changed, or time anew, without --plot-only"):
            show_measured(options.results)
        return True
    if options.against is None:
        return show_benchmarks(options.device, options.results, options.method, anew=options.force)
    return show_against(options.against, options.results) or not options.fail_if_slower


def check_results(options: argparse.Namespace) -> bool:
    """The check, or its reference anew."""
    if options.update_reference:
        return update_reference(options.workers)
    return run_check(options.engine, options.device[0], options.workers, options.junit)


def demonstrate(request: Request, options: argparse.Namespace) -> int:
    """The demo, as far as the options say; where the data are not to be had, as far as a model goes without them."""
    try:
        plan = make_plan(request)
        (job,) = plan.jobs
    except DatasetUnavailable:
        (config,) = stored_configs_of(request)
        if request.model_of(config) is None:
            raise
        plan, job = Plan([]), Job(config, request.length, request.shelves.runs, request.data, "cpu")
    points = chosen_points(job, options.points) if options.demo == "interpolate" else (0, 1)
    plan = to_compute(plan, request, from_published=True)
    if options.dry_run:
        show_plan(plan, request)
        return 0
    for failure in compute(plan, request, Display()) if plan.jobs else ():
        print(failure, file=sys.stderr)
        return 1
    show_demo(job, request, options.demo, points)
    return 1 if tell_diverged(plan, request) else 0
