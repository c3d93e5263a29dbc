"""A study from a request to what is printed of it: computed, or as it is stored."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from harness.figures.request import Request
from harness.workers.parts import stored_study, study_folder


def show(
    request: Request,
    name: str,
    tables: Sequence[str],
    run: Callable[[], Sequence[pd.DataFrame]],
    text: Callable[..., str],
    plot: Callable[..., list[Path]] | None = None,
) -> None:
    """Run a study, or read it where nothing is to be computed; print it, and draw its figure where it is the reader's.

    Args:
        request: what to show.
        name: of the study, and of its figure.
        tables: names of its files, less their kind.
        run: computes these tables.
        text: tables to what is printed.
        plot: tables and the figure's path, less its kinds, to the files that it writes.
    """
    found, published = stored_study(request.shelves, name, *tables) if request.plot_only else (run(), False)
    print(text(*found))
    for path in plot(*found, study_folder(request.results, name) / name) if plot and not published else ():
        print(f"wrote {path}")
    if published:
        print("published with the project, not computed here")
