"""What the code of users was that a run is of, and whether it still is."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from aevb.errors import UserError
from aevb.places import load_place
from harness.experiments.config import Config
from harness.store.run_folder import RunFolder

NAME = "own_code"  # in a run's record of its environments: a hash for each place
_PROJECT = ("aevb", "baselines", "harness")
_INSTALLED = ("site-packages", "dist-packages")


def own_code(config: Config) -> dict[str, str]:
    """A hash for each place of the user's that the config names, whose modules are imported.

    Raises:
        UserError: one cannot be imported.
    """
    return {place: hash_of(place) for place in config.places if _top(place) not in _PROJECT}


def check_own_code(folder: RunFolder, places: Iterable[str]) -> None:
    """Refuse to show, or to go on with, what other code has computed. What no record tells is taken to be the same.

    Args:
        folder: of the run; one that has nothing yet, or that is to begin anew, may be of any code.
        places: that the user has named.

    Raises:
        UserError: the code was changed, or cannot be imported.
    """
    files = (folder.checkpoint, folder.previous_checkpoint, folder.curve)
    if folder.is_stale() or not any(path.exists() for path in files):
        return
    known = [each[NAME] for each in folder.environments_or([]) if each.get(NAME)]
    for place in places:
        before = known[-1].get(place) if known else None
        if before and before != (now := hash_of(place)):
            raise UserError(
                f"code of yours must be as it was when a run of it was computed; {folder.config.name} is of {place} "
                f"with SHA-256 {before}…, now {now}…: compute it anew with --force, until when the old results stay, "
                "or put the code back"
            )


def hash_of(place: str) -> str:
    """Twelve hexadecimal digits of the module's file at "package.module:name", and of what that imports of the user's.

    As it was when the module was imported, or first asked for: what the process has loaded does not change.

    Raises:
        UserError: it cannot be imported.
    """
    load_place(place, "code of yours", "name")
    return _digest(sys.modules[place.partition(":")[0]])


@cache
def _digest(module: ModuleType) -> str:
    origin, digest = getattr(module, "__file__", None), hashlib.sha256()
    if origin is None or not (file := Path(origin).absolute()).is_file():
        return ""
    root = file.parents[module.__name__.count(".") + (file.stem == "__init__")]
    for path in sorted(_with_imports(file, root, _top(module.__name__))):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _with_imports(file: Path, root: Path, top: str) -> set[Path]:
    """The file, and all that is imported from its own package or from beside that, in turn."""
    found, new = set[Path](), {file}
    alone = bool({*_INSTALLED} & {*root.parts})  # what is installed beside it has a version
    while new:
        found |= new
        names = {name for path in new for name in _imports(path, root)}
        own = [name for name in names if _top(name) == top or not (alone or _top(name) in _PROJECT)]
        new = {path for name in own for path in _at(name, root)} - found
    return found


def _imports(file: Path, root: Path) -> Iterator[str]:
    """Full names of modules that a file imports, and of what may be one."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # compiled, or never imported
        return
    package = file.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*base, each.name]) for each in node.names)


def _at(name: str, root: Path) -> Iterator[Path]:
    """Files of a module and of the packages that it is in, as far as they lie below the root."""
    stem = root
    for part in name.split("."):
        stem /= part
        yield from (path for path in (stem / "__init__.py", stem.parent / f"{part}.py") if path.is_file())


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]
