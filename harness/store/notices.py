"""What a user should know, told once on stderr."""

import sys

_told: set[str] = set()


def tell_once(line: str) -> None:
    """Print the line, if this process has not done so."""
    if line not in _told:
        _told.add(line)
        print(line, file=sys.stderr, flush=True)
