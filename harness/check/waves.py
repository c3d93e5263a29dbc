"""Data that are there wherever the project is: two crossing waves of random phases, with noise."""

from pathlib import Path

import numpy as np

NAME = "waves.npy"
ROWS, SIDE = 1250, 8


def write_waves(folder: Path) -> Path:
    """Write the array, shape (1250, 64), and return its path.

    All values are whole 255ths, so that the last bits of another machine's cosine do not show. NumPy promises that
    RandomState's stream never changes.
    """
    rng = np.random.RandomState(0)
    phase = rng.uniform(0, 2 * np.pi, (ROWS, 2, 1, 1))
    along = 0.8 * np.arange(SIDE)
    waves = np.cos(along[:, None] + phase[:, 0]) + np.cos(along[None, :] + phase[:, 1])
    grey = 0.5 + 0.25 * waves + 0.2 * rng.standard_normal((ROWS, SIDE, SIDE))
    path = folder / NAME
    np.save(path, (np.rint(255 * grey.clip(0, 1)) / 255).reshape(ROWS, -1).astype(np.float32))
    return path
