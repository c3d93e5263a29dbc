"""The command line's options, and what they ask for."""

import argparse
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aevb.errors import UserError
from harness.claims.roster import NAMES as CLAIMS
from harness.command.parsing import Help, Parser, address, method, whole
from harness.experiments.methods import METHODS
from harness.experiments.paper import DEMO, EXPERIMENTS, FIGURE2, PICTURES
from harness.store.invocation import command_line, invocation, program

if TYPE_CHECKING:  # options are read, and refused, before anything that takes seconds to import
    from harness.figures.request import Request

DESCRIPTION = """Reproduce the experiments of "Auto-Encoding Variational Bayes"
(Kingma & Welling 2013, arXiv:1312.6114)."""
EXAMPLES = """examples:
  python reproduce.py --figure 2
      lower bounds, six to ten minutes on two cores
  python reproduce.py --figure 2 --dataset mnist --latent 10
      one panel
  python reproduce.py --figure 2 --seed 0 1 2
      three seeds for each curve, drawn as a band
  python reproduce.py --figure 2 --dataset faces.npy
      your own array, N×D or N×H×W with values in [0, 1]
  python reproduce.py --figure 2 --protocol author+binarization=dynamic
      any choice, by name
  python reproduce.py --figure 3 --re-estimate
      marginal likelihoods, and how far off they are
  python reproduce.py --figure 4
      manifolds of models with two latents
  python reproduce.py --demo denoise --dataset frey_face
      what a trained model is good for
  python reproduce.py --study choices
      what each choice of the protocol is worth
  python reproduce.py --study marginal
      estimators of log p(x) against exact values
  python reproduce.py --study reparameterization
      the noise of gradients, with the trick and without
  python reproduce.py --claims C4 C8
      what the paper says, and whether it holds
  python reproduce.py --report
      all that is in the store, as one HTML file
  python reproduce.py --benchmark --device cpu cuda
      how fast each method and estimator is
  python reproduce.py --benchmark --to-target
      how long ten seeds of each method take to a bound
  python reproduce.py --benchmark --against HEAD~1
      is this tree slower or faster than that commit?
  python reproduce.py evaluate factors:model --data rows.npy
      log p(x) of your own model, by every estimator
  python reproduce.py --check --junit check.xml
      has anything drifted? for continuous integration
"""
DEMOS = ("generate", "reconstruct", "interpolate", "denoise", "inpaint")
STUDIES = {
    "choices": "what each choice that the paper leaves open is worth",
    "gaps": "where the nats go: between the bound and log p(x), and in each latent",
    "marginal": "estimators of log p(x) against exact values",
    "models": "noise of trained models' bound, and how smooth they are",
    "reparameterization": "noise of the gradient with the trick and without",
    "step-sizes": "which step size the paper's rule picks for each curve",
}
# What each task would ignore, and therefore refuses.
UNUSED = {
    "--benchmark": "dataset latent train scale samples protocol seed engine workers cluster data points "
    "re_estimate dry_run",
    "--against": "device method to_target plot_only force",
    "--to-target": "device method plot_only force",
    "--list": "dataset latent train scale device engine workers cluster data points plot_only force "
    "re_estimate dry_run",
    "--claims": "dataset latent train scale samples seed device engine workers cluster data points plot_only "
    "force re_estimate dry_run",
    "--verify": "latent train scale protocol seed engine points cluster plot_only force re_estimate dry_run",
    "--publish": "dataset latent train method scale samples protocol seed device engine workers cluster points "
    "plot_only force re_estimate dry_run",
    "--migrate": "dataset latent train method scale samples protocol seed device engine workers cluster data points "
    "plot_only force re_estimate dry_run",
    "--check": "dataset latent train method scale samples protocol seed cluster results data points plot_only force "
    "re_estimate dry_run",
    "--update-reference": "junit engine device",
    "--study": "dataset latent train method samples protocol seed points re_estimate dry_run",
    "--study gaps": "device engine",
    "--study marginal": "device engine data",
    "--study reparameterization": "device engine data",
    "--study models": "device engine",
    "--study step-sizes": "device engine",
    "--figure 2": "train points re_estimate",
    "--figure 3": "latent points",
    "--figure 4": "latent train method points re_estimate",
    "--figure 5": "train method points re_estimate",
    "--demo": "train method plot_only re_estimate",
    **{f"--demo {demo}": "points" for demo in DEMOS if demo != "interpolate"},
    "--report": "dataset latent train method seed points force re_estimate dry_run",
    "--plot-only": "engine workers cluster force re_estimate dry_run",
    "--cluster": "workers",
}


TASKS = """(--figure N | --demo NAME | --study NAME |
                    --claims [C ...] | --report | --list | --benchmark |
                    --verify RUN [RUN ...] | --migrate | --publish |
                    --check)"""


def parser(description: str = DESCRIPTION, name: str = "reproduce.py") -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog=name,
        description=description,
        epilog=EXAMPLES.replace("python reproduce.py", invocation()),
        usage=f"%(prog)s [-h] {TASKS} [options]",
        formatter_class=Help,
        allow_abbrev=False,
    )
    task = p.add_mutually_exclusive_group(required=True)
    figures = [*EXPERIMENTS, *PICTURES]
    task.add_argument(
        "--figure", type=int, choices=figures, metavar="N", help="figure of the paper to reproduce, 2 to 5"
    )
    task.add_argument("--demo", choices=DEMOS, metavar="NAME", help="what a trained model can do: " + ", ".join(DEMOS))
    studies = "\n".join(f"{name}: {what}" for name, what in STUDIES.items())
    task.add_argument("--study", choices=STUDIES, metavar="NAME", help=studies)
    task.add_argument(
        "--claims", nargs="*", type=str.upper, choices=CLAIMS, metavar="C", help="what the paper says, whether it holds"
    )
    task.add_argument(
        "--report", action="store_true", help="one HTML file with all that the store holds, and a model to take apart"
    )
    task.add_argument("--list", action="store_true", help="what can be reproduced, what is done, what it would cost")
    task.add_argument(
        "--benchmark", action="store_true", help="time the methods and the estimators, some minutes; in a checkout"
    )
    task.add_argument(
        "--verify", nargs="+", metavar="RUN", help="compute stored runs anew, and compare: folder, its name, or id"
    )
    task.add_argument("--migrate", action="store_true", help="bring results of older versions over to this one")
    task.add_argument(
        "--publish", action="store_true", help="maintainers: copy this store's runs into the project's own results"
    )
    task.add_argument("--check", action="store_true", help="short runs against committed values; status 1 on a drift")
    what = p.add_argument_group("what to run")
    what.add_argument(
        "--dataset",
        nargs="+",
        default=(),
        metavar="D",
        help="mnist, frey_face, a .npy/.npz file, or your own loader as package.module:function",
    )
    what.add_argument("--latent", nargs="+", type=whole(1), default=(), metavar="N", help="sizes of z")
    what.add_argument("--train", nargs="+", type=whole(1), default=(), metavar="N", help="training points in figure 3")
    what.add_argument("--points", nargs=2, type=whole(0), metavar=("I", "J"), help="test images to interpolate between")
    what.add_argument(
        "--method",
        nargs="+",
        type=method,
        default=(),
        metavar="M",
        help=f"{', '.join(METHODS)}, or your own learner as package.module:Class; for --claims the one to ask in "
        "AEVB's place, for --verify the code of yours that a run may import",
    )
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
    how.add_argument(
        "--workers", type=whole(1), metavar="N", help="parallel processes (one for each core; for --check one)"
    )
    how.add_argument("--cluster", type=address, metavar="ADDRESS", help="compute on the workers of this Dask scheduler")
    how.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where results are kept")
    how.add_argument("--data", type=Path, metavar="DIR", help="where to look for Frey Face (or AEVB_DATA_DIR)")
    how.add_argument("--plot-only", action="store_true", help="draw what is stored, compute nothing")
    how.add_argument(
        "--force", action="store_true", help="compute finished runs again; --benchmark: time all cases again"
    )
    how.add_argument("--re-estimate", action="store_true", help="figure 3: estimate log p(x) by better means too")
    how.add_argument("--dry-run", action="store_true", help="say what would be computed, and stop")
    how.add_argument("--to-target", action="store_true", help="--benchmark: train ten seeds up to a bound, and resume")
    how.add_argument("--against", metavar="COMMIT", help="--benchmark: measure that commit and this tree in turns")
    how.add_argument(
        "--fail-if-slower", action="store_true", help="--benchmark --against: status 1 where a case is slower"
    )
    how.add_argument("--junit", type=Path, metavar="FILE", help="--check: write JUnit XML too")
    how.add_argument("--update-reference", action="store_true", help="--check: compute the committed values anew")
    return p


def check(options: argparse.Namespace) -> None:
    """Refuse options that the task would ignore, or that ask for more than it does, and results that are no folder.

    Raises:
        UserError: there is one.
    """
    defaults = vars(parser().parse_args(["--list"]))
    given = {name for name, value in vars(options).items() if value != defaults[name]}
    tasks = {
        "--list": options.list,
        "--claims": options.claims is not None,
        "--benchmark": options.benchmark,
        "--against": options.against,
        "--to-target": options.to_target,
        "--check": options.check,
        "--migrate": options.migrate,
        "--publish": options.publish,
        "--verify": options.verify,
        "--update-reference": options.update_reference,
        "--study": options.study,
        f"--study {options.study}": options.study,
        "--report": options.report,
        f"--figure {options.figure}": options.figure,
        "--demo": options.demo,
        f"--demo {options.demo}": options.demo,
        "--plot-only": options.plot_only,
        "--cluster": options.cluster,
    }
    for task in (task for task, asked in tasks.items() if asked):
        if unused := sorted(given & {*UNUSED.get(task, "").split()}):
            names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            raise UserError(f"{task} has no use for {names}: leave it out")
    _check_results(options.results)
    if options.data is not None and not os.path.isdir(os.path.expanduser(options.data)):
        raise UserError(
            f"--data must name a folder: expected an existing folder, got {options.data}; "
            "create it, or correct or leave out --data"
        )
    if not options.check and (unused := sorted(given & {"junit", "update_reference"})):
        raise UserError(f"--{unused[0].replace('_', '-')} is for --check alone: leave it out")
    if options.against is not None and not options.benchmark:
        raise UserError("--against is for --benchmark alone: leave it out")
    if options.to_target and not options.benchmark:
        raise UserError("--to-target is for --benchmark alone: leave it out")
    if options.fail_if_slower and options.against is None:
        raise UserError("--fail-if-slower is for --benchmark --against COMMIT alone: name a commit, or leave it out")
    several = [name for name in ("dataset", "latent", "seed") if len(getattr(options, name)) > 1]
    if options.demo and several:
        raise UserError(f"--demo shows one model: give --{several[0]} one value")
    if options.claims is not None and len(options.method) > 1:
        raise UserError(f"--claims asks one method in AEVB's place, got {' '.join(options.method)}: name one")
    if len(options.device) > 1 and not options.benchmark:
        raise UserError(f"--device takes several for --benchmark alone, got {' '.join(options.device)}: name one")


def _check_results(folder: Path) -> None:
    """Refuse what neither is a folder that can be read nor can become one."""
    try:
        is_folder, reason = stat.S_ISDIR(os.stat(folder).st_mode), "it is none"
        if is_folder and not os.access(folder, os.R_OK | os.X_OK):
            is_folder, reason = False, "it may not be read"
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        is_folder, reason = False, str(error)
    if not is_folder:
        raise UserError(f"results must be in a folder; {folder}: {reason}; choose another with --results DIR")


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of this process, or these.

    Raises:
        UserError: one is of no use.
    """
    options = parser(name=program()).parse_args(arguments)
    check(options)
    return options


def is_long(options: argparse.Namespace) -> bool:
    """It may take longer than a reader waits without a word."""
    reads = (
        options.list
        or options.claims is not None
        or options.publish
        or options.migrate
        or options.plot_only
        or options.dry_run
    )
    return not reads


def read_request(options: argparse.Namespace) -> "Request":
    """What the options ask for."""
    from aevb.data.frey_face import VARIABLE
    from harness.figures.request import Request

    experiment = DEMO if options.demo else {**EXPERIMENTS, **PICTURES}[options.figure or 2]
    results, data = options.results, options.data
    if options.cluster:  # workers have other working folders and environments
        named = data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
        results, data = results.absolute(), named and named.absolute()
    return Request(
        experiment=experiment,
        scale=options.scale,
        samples=options.samples,
        datasets=tuple(dict.fromkeys(options.dataset or (["mnist"] if options.demo else []))),
        sizes=tuple(dict.fromkeys(options.latent or options.train)),
        methods=tuple(dict.fromkeys(options.method)),
        protocol=options.protocol,
        seeds=tuple(dict.fromkeys(options.seed)),
        device=options.device[0],
        engine=options.engine,
        workers=options.workers,
        cluster=options.cluster,
        results=results,
        data=data,
        force=options.force,
        plot_only=options.plot_only,
        command=command_line(),
    )
