"""Trained models shown: figures 4 and 5, the demos, restoring."""

import harness.figures  # noqa: F401 - before anything imports matplotlib
