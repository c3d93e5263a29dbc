"""Compute the runs that the store does not have."""

import math
from collections.abc import Sequence
from concurrent.futures import Future

from aevb.data import frey_face, mnist
from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.figures.plan import Plan
from harness.figures.request import Request
from harness.runs.job import Job
from harness.runs.train import stacks, work
from harness.store.files import check_writable
from harness.store.status import Status
from harness.workers.progress import Display, Way
from harness.workers.schedule import Failure, failure, in_parallel


def compute(plan: Plan, request: Request, display: Display) -> list[Failure]:
    """Compute what the store does not have, or with force all; the most expensive first, so that no core waits long.

    Returns:
        What could not be completed; all other runs are in the store.
    """
    if any(request.force or not job.is_done() for job in plan.jobs):
        request.shelves.check_own()
    if not request.cluster:  # a cluster looks itself, once it is there
        for root in {job.root for job in plan.jobs}:
            check_writable(root)
    if request.force:
        _refuse_to_shorten(plan.jobs)
        for job in plan.jobs:
            job.folder.mark_stale()
    jobs = sorted(plan.unfinished(), key=left, reverse=True)
    failures: list[Failure] = []

    def done(group: Sequence[Job], future: Future[list[Status]]) -> None:
        error = future.exception()
        if error is not None:
            failures.extend(failure(job.config.name, error) for job in group)
            return
        for job, status in zip(group, future.result(), strict=True):
            display.finished(job.config, status)

    display.start({job.folder: Way(job.samples, cost(job.config)) for job in jobs}, len(plan.jobs) - len(jobs))
    try:
        in_parallel(work, stacks(jobs), request.place, done, look=display.look, saves=True)
    finally:
        display.stop()
    display.sum_up()
    return failures


def _refuse_to_shorten(jobs: Sequence[Job]) -> None:
    """Days of training are not thrown away for a shorter run."""
    for job in jobs:
        status = job.folder.status()
        there = 0 if status is None or job.folder.is_stale() else max(status.completed, status.samples)
        if there > job.samples + _longest_step(job.config):  # a last step may have gone beyond
            raise UserError(
                f"--force computes a run anew up to --samples, and must not shorten it; {job.config.name} has "
                f"{there:,} samples, got {job.samples:,}: give as many, or choose another --results DIR"
            )


def _longest_step(config: Config) -> int:
    """Samples of a step at most; of all points of a dataset, which may be as many as MNIST's."""
    rows = config.batch_size or config.n_train or 60_000
    return rows * (config.chain_leapfrog + config.weight_steps if method_of(config.method).like == "mcem" else 1)


def cost(config: Config) -> float:
    """Rough work of a training sample: matrix products of an encoder's size and of a decoder's.

    Note:
        A user's array counts as MNIST, whatever its pixels are: a config does not say how many. Runs on arrays of
        different widths begin in another order than the most expensive first, and their time left is rougher.
    """
    learn = 3 * config.n_samples
    counts = {"wake_sleep": (3, 1 + learn), "mcem": (0, 2.5)}
    encoder, decoder = counts.get(method_of(config.method).like, (2, learn))
    n_pixels = math.prod(frey_face.IMAGE_SHAPE if config.dataset == "frey_face" else mnist.IMAGE_SHAPE)
    size = encoder * (n_pixels + 2 * config.n_latent) + decoder * (n_pixels + config.n_latent)
    return sum(config.hidden) * size


def left(job: Job) -> float:
    """Rough work that a run still is."""
    status = job.folder.status()
    there = 0 if status is None or job.folder.is_stale() else status.samples
    return cost(job.config) * max(job.samples - there, 0)
