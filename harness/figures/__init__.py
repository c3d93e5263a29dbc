"""Figures 2 and 3 from request to PNG: plan, compute, compare, draw, re-estimate."""

import harness.figures.style  # noqa: F401 - before anything imports matplotlib
