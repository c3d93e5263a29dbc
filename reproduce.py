"""Reproduce the experiments of "Auto-Encoding Variational Bayes" (Kingma & Welling 2013, arXiv:1312.6114)."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from aevb.errors import UserError
from harness import figure, study_marginal, study_reparameterization
from harness.benchmark import show_benchmarks
from harness.catalogue import show_catalogue
from harness.compute import compute
from harness.config import METHODS
from harness.demos import DEMOS, show_demo
from harness.experiments import DEMO, EXPERIMENTS, FIGURE2, PICTURES, Scale
from harness.pictures import publish_pictures
from harness.plan import Request, make_plan
from harness.progress import Display
from harness.reestimate import reestimate_all
from harness.report.make import make_report
from harness.scene import chosen_points
from harness.schedule import WorkerDied
from harness.trained import reuse

EXAMPLES = """examples:
  python reproduce.py --figure 2                                   lower bounds, six to ten minutes on two cores
  python reproduce.py --figure 2 --dataset mnist --latent 10       one panel
  python reproduce.py --figure 2 --seed 0 1 2                      three seeds for each curve, drawn as a band
  python reproduce.py --figure 2 --dataset faces.npy               your own array, N×D with values in [0, 1]
  python reproduce.py --figure 2 --protocol author+binarization=dynamic
  python reproduce.py --figure 3 --re-estimate                     marginal likelihoods, and how far off they are
  python reproduce.py --figure 4                                   manifolds of models with two latents
  python reproduce.py --demo denoise --dataset frey_face           what a trained model is good for
  python reproduce.py --study marginal                             estimators of log p(x) against exact values
  python reproduce.py --study reparameterization                   the noise of gradients, with the trick and without
  python reproduce.py --report                                     all that is in the store, as one HTML file
  python reproduce.py --benchmark --device cpu cuda                how fast each method and estimator is
"""
STUDIES = {"marginal": study_marginal.show_study, "reparameterization": study_reparameterization.show_study}
# What each task would ignore, and therefore refuses.
UNUSED = {
    "--benchmark": "dataset latent train method scale samples protocol seed engine workers data points plot_only force "
    "re_estimate dry_run",
    "--list": "dataset latent train scale samples device engine workers data points plot_only force re_estimate "
    "dry_run",
    "--study": "dataset latent train method samples protocol seed device engine data points plot_only re_estimate "
    "dry_run",
    "--figure 2": "train points re_estimate",
    "--figure 3": "latent points",
    "--figure 4": "latent train method points re_estimate",
    "--figure 5": "train method points re_estimate",
    "--demo": "train method plot_only re_estimate",
    **{f"--demo {demo}": "points" for demo in DEMOS if demo != "interpolate"},
    "--report": "dataset latent train method seed points force re_estimate dry_run",
    "--plot-only": "engine workers force re_estimate dry_run",
}


class Parser(argparse.ArgumentParser):
    """Errors in one line, exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def whole(least: int) -> Callable[[str], int]:
    """Reader of whole numbers, also written as 1e6, not below `least`."""

    def read(text: str) -> int:
        try:
            value = float(text)
            if value == int(value) and value >= least:
                return int(text) if text.lstrip("+-").isdigit() else int(value)
        except (ValueError, OverflowError):
            pass
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, got {text!r}")

    return read


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="reproduce.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
    )
    task = p.add_mutually_exclusive_group(required=True)
    figures = [*EXPERIMENTS, *PICTURES]
    task.add_argument("--figure", type=int, choices=figures, help="figure of the paper to reproduce")
    task.add_argument("--demo", choices=DEMOS, help="what a trained model can do: " + ", ".join(DEMOS))
    task.add_argument(
        "--study",
        choices=STUDIES,
        help="marginal: estimators of log p(x) against exact values\n"
        "reparameterization: noise of the gradient with the trick and without",
    )
    task.add_argument(
        "--report", action="store_true", help="one HTML file with all that the store holds, and an explorer"
    )
    task.add_argument("--list", action="store_true", help="what can be reproduced, what is done, what it would cost")
    task.add_argument("--benchmark", action="store_true", help="time the methods and the estimators, two minutes")
    what = p.add_argument_group("what to run")
    what.add_argument("--dataset", nargs="+", default=(), metavar="D", help="mnist, frey_face, or a .npy/.npz file")
    what.add_argument("--latent", nargs="+", type=whole(1), default=(), metavar="N", help="sizes of z")
    what.add_argument("--train", nargs="+", type=whole(1), default=(), metavar="N", help="training points in figure 3")
    what.add_argument("--points", nargs=2, type=whole(0), metavar=("I", "J"), help="test images to interpolate between")
    what.add_argument("--method", nargs="+", choices=METHODS, default=(), metavar="M", help=", ".join(METHODS))
    what.add_argument(
        "--scale",
        choices=FIGURE2.scales,
        default="quick",
        help="how far to go: smoke (seconds), quick (minutes) or paper (half a day)",
    )
    what.add_argument("--samples", type=whole(1), metavar="N", help="samples for each curve, instead of the scale's")
    what.add_argument("--protocol", default="author", metavar="P", help="author (default) or paper, and +field=value")
    what.add_argument("--seed", nargs="+", type=whole(0), default=(0,), metavar="S", help="a run for each (0)")
    how = p.add_argument_group("how to run it")
    how.add_argument(
        "--device", nargs="+", choices=["auto", "cpu", "cuda"], default=("auto",), help="several for --benchmark"
    )
    how.add_argument(
        "--engine", choices=["fast", "reference"], default="fast", help="gradients written by hand, or autograd's"
    )
    how.add_argument("--workers", type=whole(1), metavar="N", help="parallel processes (one for each core)")
    how.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where results are kept")
    how.add_argument("--data", type=Path, metavar="DIR", help="where to look for Frey Face (or AEVB_DATA_DIR)")
    how.add_argument("--plot-only", action="store_true", help="draw what is stored, compute nothing")
    how.add_argument("--force", action="store_true", help="compute finished runs again")
    how.add_argument("--re-estimate", action="store_true", help="figure 3: estimate log p(x) by better means too")
    how.add_argument("--dry-run", action="store_true", help="say what would be computed, and stop")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 a run failed, 2 wrong request, 130 interrupted."""
    options = parser().parse_args(arguments)
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
        else:
            return reproduce(request, options)
    except UserError as error:
        print(f"reproduce.py: error: {error}", file=sys.stderr)
        return 2
    except WorkerDied as error:
        print(f"failed: {error}; the same command resumes", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        without = " without --force" if options.force else ""
        print(f"interrupted; the same command{without} resumes", file=sys.stderr)
        return 130
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuse options that the task would ignore, or that ask for more than it does.

    Raises:
        UserError: there is one.
    """
    defaults = vars(parser().parse_args(["--list"]))
    given = {name for name, value in vars(options).items() if value != defaults[name]}
    tasks = {
        "--list": options.list,
        "--benchmark": options.benchmark,
        "--study": options.study,
        "--report": options.report,
        f"--figure {options.figure}": options.figure,
        "--demo": options.demo,
        f"--demo {options.demo}": options.demo,
        "--plot-only": options.plot_only,
    }
    for task in (task for task, asked in tasks.items() if asked):
        if unused := sorted(given & {*UNUSED.get(task, "").split()}):
            names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            raise UserError(f"{task} has no use for {names}: leave it out")
    several = [name for name in ("dataset", "latent", "seed") if len(getattr(options, name)) > 1]
    if options.demo and several:
        raise UserError(f"--demo shows one model: give --{several[0]} one value")
    if len(options.device) > 1 and not options.benchmark:
        raise UserError(f"--device takes several for --benchmark alone, got {' '.join(options.device)}: name one")


def read_request(options: argparse.Namespace) -> Request:
    """What the options ask for."""
    experiment = DEMO if options.demo else {**EXPERIMENTS, **PICTURES}[options.figure or 2]
    scale = experiment.scales[options.scale]
    if options.samples:
        scale = Scale(f"{scale.name}-{options.samples}", options.samples, scale.evaluation_points)
    return Request(
        experiment=experiment,
        scale=scale,
        datasets=tuple(dict.fromkeys(options.dataset or (["mnist"] if options.demo else []))),
        sizes=tuple(dict.fromkeys(options.latent or options.train)),
        methods=tuple(dict.fromkeys(options.method)),
        protocol=options.protocol,
        seeds=tuple(dict.fromkeys(options.seed)),
        device=options.device[0],
        engine=options.engine,
        workers=options.workers,
        results=options.results,
        data=options.data,
        force=options.force,
    )


def reproduce(request: Request, options: argparse.Namespace) -> int:
    """The figure, as far as the options say."""
    plan = make_plan(request)
    if options.figure in PICTURES:
        plan = reuse(plan, request)
    if options.dry_run:
        figure.show_plan(plan, request)
        return 0
    failures = [] if options.plot_only else compute(plan, request, Display())
    if options.re_estimate:
        failures += reestimate_all(plan.jobs, request.worker_count)
    for failure in failures:
        print(f"failed: {failure.job.config.name}: {failure.reason}", file=sys.stderr)
    if options.figure in PICTURES:
        publish_pictures(plan, request)
    else:
        figure.publish(plan, request)
    figure.show_missing(plan)
    return 1 if failures else 0


def demonstrate(request: Request, options: argparse.Namespace) -> int:
    """The demo, as far as the options say."""
    plan = reuse(make_plan(request), request)
    (job,) = plan.jobs
    points = chosen_points(job, options.points)
    if options.dry_run:
        figure.show_plan(plan, request)
        return 0
    for failure in compute(plan, request, Display()):
        print(f"failed: {failure.job.config.name}: {failure.reason}", file=sys.stderr)
        return 1
    show_demo(job, request, options.demo, points)
    return 0


if __name__ == "__main__":
    # Schedulers and shells end a job with SIGTERM: it is treated as Ctrl-C is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
