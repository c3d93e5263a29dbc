"""Options that a task has no use for, and values that cannot be, are refused before anything is computed."""

import argparse
import os
import stat
from pathlib import Path

from aevb import shipped
from aevb.errors import UserError
from harness.command.arguments import parser
from harness.experiments.paper import DEMOS

# What each task would ignore, and therefore refuses.
UNUSED = {
    "--benchmark": "dataset latent train scale samples protocol seed engine workers cluster data points "
    "re_estimate dry_run",
    "--benchmark --plot-only": "device method",
    "--against": "device method to_target plot_only force",
    "--to-target": "device method plot_only force",
    "--list": "dataset latent train scale device engine workers cluster data points plot_only force "
    "re_estimate dry_run",
    "--claims": "dataset latent train scale samples seed device engine workers cluster data points plot_only "
    "force re_estimate dry_run",
    "--verify": "latent train scale protocol seed engine points cluster plot_only force re_estimate dry_run",
    "--publish": "dataset latent train method scale samples seed device engine workers cluster points "
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
    "--plot-only": "device engine workers cluster data force re_estimate dry_run",
    # Of other figures a model is shown that is as old as was said.
    **dict.fromkeys(("--figure 2 --plot-only", "--figure 3 --plot-only"), "scale samples seed"),
    "--study --plot-only": "scale",
    "--cluster": "workers",
    "--dry-run": "re_estimate",
}
# What does what a reader of such a line may have had in mind.
INSTEAD = {"--check": "; it checks the project, and `aevb.testing` what is yours (docs/own-learner.md)"}


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
        "--benchmark --plot-only": options.benchmark and options.plot_only,
        "--against": options.against,
        "--to-target": options.to_target,
        "--check": options.check,
        "--migrate": options.migrate,
        "--publish": options.publish,
        "--verify": options.verify,
        "--update-reference": options.update_reference,
        "--study": options.study,
        "--study --plot-only": options.study and options.plot_only,
        f"--study {options.study}": options.study,
        "--report": options.report,
        f"--figure {options.figure}": options.figure,
        f"--figure {options.figure} --plot-only": options.figure and options.plot_only,
        "--demo": options.demo,
        f"--demo {options.demo}": options.demo,
        "--plot-only": options.plot_only,
        "--cluster": options.cluster,
        "--dry-run": options.dry_run,
    }
    for task in (task for task, asked in tasks.items() if asked):
        if unused := sorted(given & {*UNUSED.get(task, "").split()}):
            names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            raise UserError(f"{task} has no use for {names}: leave it out{INSTEAD.get(task, '')}")
    if (options.figure or options.demo) and {"scale", "samples"} <= given:
        raise UserError(
            f"--samples takes the place of --scale, got {options.samples} beside {options.scale}: leave one out"
        )
    check_results(options.results)
    _check_not_the_projects(options.results)
    if options.data is not None and not os.path.isdir(options.data):
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
    if options.claims is not None and "+learner." in options.protocol:
        raise UserError(
            "--claims asks a learner as its class is, beside others without its arguments, got --protocol "
            f"{options.protocol}: make a subclass with that default, `class Beta4(Beta)`, and name it with --method"
        )
    if len(options.device) > 1 and not options.benchmark:
        raise UserError(f"--device takes several for --benchmark alone, got {' '.join(options.device)}: name one")


def check_results(folder: Path) -> None:
    """Refuse what neither is a folder that can be read nor can become one.

    Raises:
        UserError: it is so.
    """
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


def _check_not_the_projects(folder: Path) -> None:
    """Refuse folders within what comes with the project; that itself may be drawn anew, and nothing is computed in it.

    Called once it is known that the folder is one, or is not there.
    """
    place, own = folder.resolve(), shipped.RESULTS.resolve()
    if place.is_relative_to(shipped.PAPER.resolve()) or own in place.parents:
        raise UserError(
            f"what comes with the project must stay as it is, and {folder} is within it: choose another --results DIR"
        )
