"""The laws that learners, decoders, bounds and estimators are held to, for those of your own package too.

A law is a function whose name is the sentence. It raises `aevb.testing.law.LawBroken`, an AssertionError that says
what must hold, what came and what to do. `check_learner` and its like go through all laws of a kind; the tuples of laws
(`LEARNER_LAWS` and its like) are for tests that want a line for each.

    from aevb.testing import check_learner

    def test_my_learner_keeps_the_laws():
        check_learner(MyLearner)

Nothing here needs pytest, and all of it runs in float64 on a CPU, on models of a few units, in seconds.
"""

from aevb.testing.bound import BOUND_LAWS, check_bound
from aevb.testing.decoder import DECODER_LAWS, check_decoder
from aevb.testing.estimator import ESTIMATOR_LAWS, check_estimator
from aevb.testing.law import LawBroken
from aevb.testing.learner import LEARNER_LAWS, check_learner
from aevb.testing.oracle import LinearGaussian, linear_gaussian

__all__ = [
    "BOUND_LAWS",
    "DECODER_LAWS",
    "ESTIMATOR_LAWS",
    "LEARNER_LAWS",
    "LawBroken",
    "LinearGaussian",
    "check_bound",
    "check_decoder",
    "check_estimator",
    "check_learner",
    "linear_gaussian",
]
