"""How far one long computation is: on a terminal a line that changes, in a log a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from harness.store.columns import NARROWEST, fold
from harness.workers.progress import SECONDS_BETWEEN_LINES, Terminal, duration


@contextmanager
def waiting(console: Console | None = None) -> Iterator[Callable[[str, float], None]]:
    """While in it, what tells of the part that is worked on, from the share of it that is done, and the time left."""
    console = console or Terminal()
    with console.status("starting") as status:  # says nothing where there is no terminal
        part, began = "", time.monotonic()
        last_line = began

        def tell(name: str, share: float) -> None:
            nonlocal part, began, last_line
            now = time.monotonic()
            if name != part:
                part, began = name, now
            left = f" {share:.0%}, about {duration((now - began) * (1 / share - 1))} left" if share else ""
            if console.is_terminal:
                status.update(escape(name + left))
            elif now - last_line >= SECONDS_BETWEEN_LINES:
                last_line = now
                line = fold(name + left, max(console.width, NARROWEST))
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield tell
