"""The options of this process, and what they ask for."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.command.arguments import parser
from harness.command.refusals import check
from harness.experiments.paper import DEMO, EXPERIMENTS, PICTURES
from harness.store.invocation import command_line, program

if TYPE_CHECKING:  # options are read, and refused, before anything that takes seconds to import
    from harness.figures.request import Request


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
