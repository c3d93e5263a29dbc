"""Compute the runs that the store does not have."""

from collections.abc import Sequence
from concurrent.futures import Future

from harness.figures.plan import Plan, Request
from harness.runs.run import Job
from harness.runs.train import stacks, work
from harness.store.files import check_writable
from harness.store.run_folder import Status
from harness.workers.progress import Display
from harness.workers.schedule import Failure, failure, in_parallel


def compute(plan: Plan, request: Request, display: Display) -> list[Failure]:
    """Compute what the store does not have, or with force all; the most expensive first, so that no core waits long.

    Returns:
        What could not be completed; all other runs are in the store.
    """
    if not request.cluster:  # a cluster looks itself, once it is there
        for root in {job.root for job in plan.jobs}:
            check_writable(root)
    if request.force:
        for job in plan.jobs:
            job.folder.mark_stale()
    jobs = sorted(plan.unfinished(), key=cost, reverse=True)
    failures: list[Failure] = []

    def done(group: Sequence[Job], future: Future[list[Status]]) -> None:
        error = future.exception()
        if error is not None:
            failures.extend(failure(job.config.name, error) for job in group)
            return
        for job, status in zip(group, future.result(), strict=True):
            display.finished(job.config, status)

    display.start({job.folder: cost(job) for job in jobs})
    try:
        in_parallel(work, stacks(jobs), request.place, done, look=display.look, saves=True)
    finally:
        display.stop()
    return failures


def cost(job: Job) -> float:
    """Rough work of a run: large products, 7 a sample for wake-sleep where AEVB has 5."""
    config = job.config
    products = 7 if config.method == "wake_sleep" else 5
    return products * sum(config.hidden) * (1 + config.n_latent / 500) * config.samples
