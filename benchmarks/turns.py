"""A tree's half of `reproduce.py --benchmark --against COMMIT`: a process that runs cases as told, and times them.

It runs with the packages of the tree that it is started for, and this very file, of the newer tree, for both. Commands
and answers are lines of JSON. A launch is a fork that builds its cases anew, so that where its memory happens to lie,
which is worth a percent, is another draw each time; what is imported, read and chosen once is there already.
"""

import gc
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

TASKS = Path("/proc/self/task")
KILLED, LACK = -9, ", as where memory runs out"
Case = Callable[[int], object]
"""Does its work so many times."""


def clock(call: Callable[[], object]) -> float:
    """Seconds that a call takes, less those in which its threads waited for a core that others had, where Linux tells.

    Sleeping counts, and waiting for a device does. It is for work of one thread at a time, in this thread or, as JAX
    has it, in one that it waits for: threads that wait side by side are counted twice. Never less than the time on
    cores.
    """
    before = _now()
    waited, computed = _waited(), time.process_time()
    begin = _now()
    call()
    end = _now()
    computed = time.process_time() - computed
    lost = sum(now - waited[thread] for thread, now in _waited().items() if thread in waited) / 1e9
    after = _now()
    asking = begin[0] - before[0] - (begin[1] - before[1]) + after[0] - end[0] - (after[1] - end[1])
    seconds = end[0] - begin[0]
    return max(seconds - max(lost - asking, 0.0), min(computed, seconds))


def _now() -> tuple[float, float]:
    """On the wall's clock, and on the core."""
    return time.perf_counter(), time.thread_time()


def _waited() -> dict[str, int]:
    """Nanoseconds that each thread of this process has waited for a core so far; nothing on other systems."""
    found = {}
    for thread in TASKS.glob("*"):
        with suppress(OSError, IndexError, ValueError):  # it may be gone by now
            found[thread.name] = int((thread / "schedstat").read_text().split()[1])
    return found


def makers() -> dict[str, Callable[[], Case]]:
    """What is compared, by name, and what makes it: learners' steps, an estimator, and the noise that steps use.

    500/20 is 500 hidden units and 20 latent dimensions.
    """
    from aevb.marginal.appendix_d import appendix_d_log_likelihood
    from aevb.marginal.chains import start_chains
    from benchmarks.engines import Engine, make_config, run_data
    from harness.runs.build import build_learner
    from harness.runs.streams import stream
    from harness.runs.tape import Tape

    large, small = make_config(hidden=(500,), n_latent=20), make_config(hidden=(100,), n_latent=3)
    mcem = replace(small, method="mcem", n_train=1000, batch_size=0)

    def steps(config: Any) -> Case:
        engine = Engine(config, "fast", "cpu")
        engine.advance(config.warm_up + 2)  # from now on steps are replayed, in trees that do so
        return engine.advance

    def appendix_d() -> Case:
        model, x, noise = Engine(small, "fast", "cpu").learners[0].model, run_data("cpu").test_points[:20], stream("d")
        chains = start_chains(model, x, noise, n_candidates=1)
        return repeated(
            lambda: appendix_d_log_likelihood(model, x, chains, noise, n_samples=10, n_burn_in=2, n_leapfrog=4)
        )

    def noise_in_bulk() -> Case:
        learner = build_learner(large, run_data("cpu"), 0.001)
        return repeated(lambda: Tape(large, run_data("cpu"), learner).take(1))

    return {
        "AEVB 500/20": partial(steps, large),
        "AEVB 100/3": partial(steps, small),
        "wake-sleep 500/20": partial(steps, replace(large, method="wake_sleep")),
        "MCEM 100/3": partial(steps, mcem),
        "appendix D 100/3": appendix_d,
        "noise in bulk": noise_in_bulk,
    }


def repeated(call: Callable[[], object]) -> Case:
    """A call as often as it is asked for."""

    def case(times: int) -> None:
        for _ in range(times):
            call()

    return case


def main() -> None:
    """Answer commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what is printed by the way is not an answer
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for make in makers().values():
        make()(1)  # what is chosen once in a process, such as the library that multiplies, is chosen here
    gc.collect()
    gc.freeze()  # what is there by now need not be looked through after each of a launch's blocks

    def say(**answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    import aevb

    say(packages=str(Path(aevb.__file__).resolve().parents[1]))
    for command in _commands():
        if command["do"] == "launch":
            child = os.fork()
            if not child:
                _serve(say)
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            say(ended=True) if not code else say(error=f"status {code} of a launch{LACK if code == KILLED else ''}")


def _serve(say: Callable[..., None]) -> None:
    """A launch's own part, until it is to end."""
    try:
        known, cases = makers(), dict[str, Case]()
        gc.disable()
        say(cases=[*known])
        for command in _commands():
            if command["do"] == "end":
                return
            name, times = command["case"], command["times"]
            case = cases[name] = cases.get(name) or known[name]()
            say(seconds=clock(lambda: case(times)))  # noqa: B023
            gc.collect()
    except Exception as error:  # noqa: BLE001 - the other side raises it
        say(error=f"{type(error).__name__}: {error}")


def _commands() -> Iterator[dict[str, Any]]:
    """Commands as they come; nothing is read ahead, since a launch reads where its parent has left off."""
    line = b""
    while byte := os.read(0, 1):
        line += byte
        if byte == b"\n":
            yield json.loads(line)
            line = b""


if __name__ == "__main__":
    main()
