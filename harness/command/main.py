"""Reproduce the experiments of "Auto-Encoding Variational Bayes" (Kingma & Welling 2013, arXiv:1312.6114)."""

import argparse
import sys
from collections.abc import Sequence

from aevb.errors import UserError
from harness.check.command import run_check, update_reference
from harness.command.catalogue import show_catalogue
from harness.command.options import check, parser, read_request
from harness.experiments.paper import PICTURES
from harness.figures.compute import compute
from harness.figures.plan import Request, make_plan
from harness.figures.reestimate import reestimate_all
from harness.figures.show import publish, show_missing, show_plan
from harness.pictures.demos import show_demo
from harness.pictures.latent_space import publish_pictures
from harness.pictures.models import reuse
from harness.pictures.scene import chosen_points
from harness.report.make import make_report
from harness.store.environment import program
from harness.studies.marginal import study as study_marginal
from harness.studies.reparameterization import study as study_reparameterization
from harness.timing.run import show_benchmarks
from harness.workers.parts import PartsFailed
from harness.workers.progress import Display
from harness.workers.schedule import WorkerDied

STUDIES = {"marginal": study_marginal.show_study, "reparameterization": study_reparameterization.show_study}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 a run failed, 2 wrong request, 130 interrupted."""
    options = parser(__doc__ or "", program()).parse_args(arguments)
    try:
        check(options)
        request = read_request(options)
        if options.list:
            show_catalogue(request)
        elif options.study:
            STUDIES[options.study](request)
        elif options.demo:
            return demonstrate(request, options)
        elif options.report:
            return 0 if make_report(request, train=not options.plot_only) else 1
        elif options.benchmark:
            return 0 if show_benchmarks(options.device, options.results) else 1
        elif options.check:
            return 0 if check_results(options) else 1
        else:
            return reproduce(request, options)
    except UserError as error:
        print(f"{program()}: error: {error}", file=sys.stderr)
        return 2
    except PartsFailed as error:
        print(*error.failures, sep="\n", file=sys.stderr)
        return 1
    except WorkerDied as error:
        print(f"failed: {error}; the same command resumes", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        without = " without --force" if options.force else ""
        goes_on = "begins anew" if options.check or options.benchmark else "resumes"
        print(f"interrupted; the same command{without} {goes_on}", file=sys.stderr)
        return 130
    return 0


def reproduce(request: Request, options: argparse.Namespace) -> int:
    """The figure, as far as the options say."""
    plan = make_plan(request)
    if options.figure in PICTURES:
        plan = reuse(plan, request)
    if options.dry_run:
        show_plan(plan, request)
        return 0
    failures = [] if options.plot_only else compute(plan, request, Display())
    if options.re_estimate:
        failures += reestimate_all(plan.jobs, request.place)
    for failure in failures:
        print(failure, file=sys.stderr)
    if options.figure in PICTURES:
        publish_pictures(plan, request)
    else:
        publish(plan, request)
    show_missing(plan)
    return 1 if failures else 0


def check_results(options: argparse.Namespace) -> bool:
    """The check, or its reference anew."""
    if options.update_reference:
        return update_reference(options.workers)
    return run_check(options.engine, options.device[0], options.workers, options.junit)


def demonstrate(request: Request, options: argparse.Namespace) -> int:
    """The demo, as far as the options say."""
    plan = reuse(make_plan(request), request)
    (job,) = plan.jobs
    points = chosen_points(job, options.points)
    if options.dry_run:
        show_plan(plan, request)
        return 0
    for failure in compute(plan, request, Display()):
        print(failure, file=sys.stderr)
        return 1
    show_demo(job, request, options.demo, points)
    return 0
