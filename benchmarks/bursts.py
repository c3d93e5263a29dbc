"""How many steps are timed at once."""

from harness.runs.tape import GRAPH_STEPS

FLOPS_OF_A_BURST = 2e9
EAGER, LAUNCHES = 20, 4  # steps, and graphs of steps, in a burst on a GPU
RECORDED = ("graph", "stacked", "JAX scan", "JAX vmap")  # many steps of which a GPU is given at once


def burst_of(engine: str, device: str, flops_of_a_step: int) -> int:
    """Steps of a call that is timed: on a CPU those of two billion operations, but no more than 50.

    On CUDA 200 where many steps are given to the device at once, ours as four graphs of 50 and JAX's as one scan;
    either waits for the device once, at the end. What a call costs beside its steps (to begin, to wait, to read the
    bounds) is then a small share of it for both: at a tenth of a millisecond a step it takes 20 ms. Steps whose every
    operation is a launch take about a millisecond, and are 20.
    """
    if device == "cuda":
        return LAUNCHES * GRAPH_STEPS if engine in RECORDED else EAGER
    return max(1, min(GRAPH_STEPS, int(FLOPS_OF_A_BURST / flops_of_a_step)))
