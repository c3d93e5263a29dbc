"""The benchmark: run, tabulate, draw."""
