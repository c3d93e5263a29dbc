"""How fast steps, estimators and chains are."""

from aevb.fast.kernels import choose_kernels

choose_kernels()  # before anything imports NumPy
