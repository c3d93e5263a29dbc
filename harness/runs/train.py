"""Runs from their configs to their curves, alone or in stacks; they survive being stopped."""

import contextlib
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from aevb.errors import UserError
from harness.runs.build import load, prepare
from harness.runs.curve import points
from harness.runs.job import Job
from harness.runs.learners import engine_of, stackable
from harness.runs.run import Run
from harness.runs.steps import Trainer, samples_per_step
from harness.store.environment import describe
from harness.store.files import write_text
from harness.store.locks import Hold
from harness.store.own_code import NAME as OWN_CODE
from harness.store.own_code import check_own_code, own_code
from harness.store.status import Status
from harness.workers import schedule
from harness.workers.schedule import Interrupted

SECONDS_BETWEEN_REPORTS = 0.5
SECONDS_BETWEEN_CHECKPOINTS = 15.0
SECONDS_OF_A_BURST = 0.2


def train(runs: Sequence[Run], samples: int, should_stop: Callable[[], bool]) -> None:
    """Take runs that differ in their seeds alone, and are equally far, up to so many samples at least.

    Raises:
        Interrupted: it was told to stop; checkpoints and statuses are written.
    """
    first = runs[0]
    config, progress = first.config, first.progress
    learners, tapes = [run.learner for run in runs], [run.tape for run in runs]
    per_step = samples_per_step(config, first.data)
    n_taken = progress.samples // per_step
    trainer = Trainer(config, first.data, learners, tapes, first.generator, first.library, n_taken)
    next_report = next_save = 0.0
    burst = 1
    for point in points(config):
        if point <= progress.last_point:
            continue
        target = min(point, samples)
        while progress.samples < target:
            steps = min(-(-(target - progress.samples) // per_step), burst)
            begin = time.perf_counter()
            bounds = trainer.advance(steps)
            seconds = time.perf_counter() - begin
            for run, own in zip(runs, bounds, strict=True):
                run.progress.add(steps * per_step, seconds / len(runs), own)
                run.steps += steps
            burst = max(1, round(burst * min(2.0, SECONDS_OF_A_BURST / seconds)))
            now, live = time.monotonic(), [run for run in runs if run.status is None]
            if should_stop():
                for run in live:
                    run.save()
                    run.report("interrupted")
                raise Interrupted
            if now >= next_save:
                for run in live:
                    run.save()
                next_save = now + SECONDS_BETWEEN_CHECKPOINTS
            if now >= next_report:
                for run in live:
                    run.report("running")
                next_report = now + SECONDS_BETWEEN_REPORTS
        if progress.samples < point:
            break
        for run in runs:
            if run.status is None:
                run.record()
        if all(run.status for run in runs):
            return
    for run in runs:
        if run.status is None:
            run.finish()


def run(job: Job, should_stop: Callable[[], bool] = lambda: False) -> Status:
    """Compute a run, or what is missing of it up to the job's length; what is done is left as it is.

    Raises:
        UserError: data, checkpoint, folder or the user's own code are not fit for it.
        Interrupted: `should_stop` said so.
    """
    return run_together([job], should_stop)[0]


def run_together(jobs: Sequence[Job], should_stop: Callable[[], bool] = lambda: False) -> list[Status]:
    """`run` for jobs that differ in their seeds alone; those that are equally far and climb alike make a stack."""
    with ExitStack() as locks:
        open_jobs: dict[Job, Hold] = {}
        # In one order in every process, lest two wait for each other.
        for job in sorted(jobs, key=lambda job: job.folder.path):
            hold = locks.enter_context(job.folder.lock(should_stop))
            if hold is None:
                raise Interrupted
            if job.folder.is_stale():
                job.folder.clear()
            check_own_code(job.folder, job.config.places)
            if not job.is_done() and job.lacks_records_alone():
                job.folder.mend_records()
            if not job.is_done():
                open_jobs[job] = hold
        try:
            _train_stacks(open_jobs, should_stop)
        except Interrupted:
            for job, hold in open_jobs.items():  # the stack in training has said it; others wait for theirs
                with contextlib.suppress(UserError):  # what cannot be written is told by the next command
                    hold.check()
                    status = job.folder.status()
                    if status is not None and status.state == "running":
                        job.folder.write_status(replace(status, state="interrupted"))
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            for job, hold in open_jobs.items():
                with contextlib.suppress(UserError):  # it is about the folder, which the error tells
                    hold.check()
                    status = job.folder.status()
                    if status is not None and status.final:
                        continue
                    write_text(job.folder.path / "error.txt", traceback.format_exc())
                    message = f"{type(error).__name__}: {reason}"
                    job.folder.write_status(replace(status or Status("failed"), state="failed", message=message))
            raise
        statuses = [(job, job.folder.status()) for job in jobs]
        # What another process has computed meanwhile is not this one's work.
        return [status if job in open_jobs else replace(status, steps=0) for job, status in statuses if status]


def _train_stacks(jobs: Mapping[Job, Hold], should_stop: Callable[[], bool]) -> None:
    if not jobs:
        return
    first = next(iter(jobs))
    config, device = first.config, torch.device(first.device)
    data = prepare(config, load(config, first.data), device)
    environment = describe(device, first.command) | {"engine": engine_of(config, first.engine)}
    environment |= {OWN_CODE: own} if (own := own_code(config)) else {}
    alike: dict[tuple[Any, ...], list[Run]] = {}
    for job, hold in jobs.items():
        one = Run(job, data, environment, should_stop, hold)
        progress = one.progress
        key = (job.samples, progress.samples, progress.last_point, progress.step_size, one.library)
        alike.setdefault(key, []).append(one)
    for (samples, *_), runs in alike.items():
        for one in runs:
            one.share(len(runs))
        train(runs, samples, should_stop)


def stacks(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    """The jobs in groups to be computed together: on a GPU, by hand, those that differ in their seeds alone."""
    groups: dict[Any, list[Job]] = {}
    for n, job in enumerate(jobs):
        together = job.device == "cuda" and job.engine == "fast" and stackable(job.config)
        key = replace(job, config=replace(job.config, seed=0)) if together else n
        groups.setdefault(key, []).append(job)
    return [tuple(group) for group in groups.values()]


def work(jobs: Sequence[Job]) -> list[Status]:
    """`run_together` in a worker process."""
    return run_together(jobs, schedule.should_stop)
