"""The benchmark: run, tabulate, draw."""

import harness.figures  # noqa: F401 - before anything imports matplotlib
