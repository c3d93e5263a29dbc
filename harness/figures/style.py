"""How everything is drawn: matplotlib as it comes, whatever backend, configuration or fonts its user has, and our ink.

`harness.figures` imports this before anything else, so that matplotlib never looks at the user's settings.
"""

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def _nobodys_settings() -> Iterator[None]:
    """No MPLBACKEND, which can name what is not installed; and in the working folder, where matplotlib looks for a
    `matplotlibrc` first, its own."""
    spec, chosen = importlib.util.find_spec("matplotlib"), os.environ.pop("MPLBACKEND", None)
    here = os.open(".", os.O_RDONLY) if os.chdir in os.supports_fd else None
    try:
        for place in spec.submodule_search_locations or () if spec else ():
            if here is not None and (Path(place) / "mpl-data" / "matplotlibrc").exists():
                os.chdir(Path(place) / "mpl-data")
        yield
    finally:
        if here is not None:
            with suppress(OSError):  # it was taken away
                os.chdir(here)
            os.close(here)
        if chosen is not None:
            os.environ["MPLBACKEND"] = chosen


with _nobodys_settings():
    import matplotlib

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it has much to say of folders and fonts

# Which window to open, and where, is of no concern: figures are files.
_NOT_STYLE = ("backend", "backend_fallback", "interactive", "toolbar", "figure.hooks")
FONT = "DejaVu Sans"  # comes with matplotlib, so the figure is the same on every machine
STYLE: Any = {name: value for name, value in matplotlib.rcParamsDefault.items() if name not in _NOT_STYLE}
STYLE |= {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8c8c8c",
    "axes.grid": True,
    "axes.labelcolor": ".15",
    "axes.titlesize": 12,
    "axes.titley": 1.0,  # where it would be, without a search at each drawing
    "font.sans-serif": [FONT],
    "font.size": 10,
    "grid.color": "#e6e6e6",
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "aevb",
    "text.color": ".15",
    "xtick.bottom": False,
    "xtick.color": ".15",
    "ytick.color": ".15",
    "ytick.left": False,
}
