"""Models whose answers are known exactly; the linear-Gaussian one is public, since strangers' tests need it too."""

from aevb.testing.oracle import FixedEncoder, LinearGaussian, linear_gaussian

__all__ = ["FixedEncoder", "LinearGaussian", "linear_gaussian"]
