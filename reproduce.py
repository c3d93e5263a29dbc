"""Reproduce the experiments of "Auto-Encoding Variational Bayes" (Kingma & Welling 2013, arXiv:1312.6114)."""

import sys

from harness.command.start import start

if __name__ == "__main__":
    sys.exit(start())
