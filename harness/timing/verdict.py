"""Whether one tree is slower than another, and when that is known well enough."""

from typing import Literal

from harness.timing.intervals import Interval

Verdict = Literal["slower", "faster", "not to be told apart"]

MARGIN = 0.01  # ratios this near 1 are nobody's concern, and not beyond what two copies of one program differ by
ENOUGH = 0.01  # half of an interval's width, at which nothing more need be measured
SEEN = 0.025  # half of an interval's width, beyond which a difference of 5 % may go unseen


def judge(ratio: Interval) -> Verdict:
    """Slower or faster where all of the interval of time over the base's is beyond the margin."""
    if ratio.low > 1 + MARGIN:
        return "slower"
    return "faster" if ratio.high < 1 / (1 + MARGIN) else "not to be told apart"


def is_known(ratio: Interval) -> bool:
    """More rounds would hardly change what is said of it."""
    return ratio.half_width <= ENOUGH
