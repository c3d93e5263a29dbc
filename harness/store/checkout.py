"""The project's own checkout: its commit, and the diff that leads from there to the code that ran."""

import hashlib
import os
import reprlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aevb.errors import UserError
from harness.store.files import scratch

ROOT = Path(__file__).resolve().parents[2]  # of the packages, in a checkout or where they are installed
MOST_BYTES = 200_000  # of a diff
CODE = ("aevb", "baselines", "harness", "benchmarks", "reproduce.py")  # a new file is the project's where it lies here
# A user's own settings are not to change the diff; of those that an older git does not know it makes nothing.
SETTINGS = {
    "core.attributesFile": "/dev/null", "core.excludesFile": "/dev/null", "core.quotePath": "true",
    "diff.algorithm": "myers", "diff.context": "3", "diff.indentHeuristic": "true", "diff.interHunkContext": "0",
    "diff.orderFile": "/dev/null", "diff.renames": "false", "diff.suppressBlankEmpty": "false",
}  # fmt: skip
FORM = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--text", "--full-index"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)


def state(root: Path) -> tuple[str, str]:
    """Commit of the checkout at a folder, and the diff from it to the Python files that are there, for `git apply`.

    Both are empty where there is no git, and where the folder is not the top of a checkout: an installed package is not
    of the commit of whatever repository its environment lies in.
    """
    try:
        way_up, commit, _ = _git(root, "rev-parse", "--show-cdup", "HEAD").decode().split("\n")
        if way_up:
            return "", ""
        parts = [_git(root, "diff", *FORM, "HEAD", "--", "*.py")]
        for name in _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *CODE).split(b"\0"):
            if name.endswith(b".py"):
                parts.append(_git(root, "diff", *FORM, "--no-index", "--", "/dev/null", os.fsdecode(name)))
    except (OSError, subprocess.CalledProcessError):
        return "", ""
    return commit, bounded(b"".join(parts))


def find_commit(root: Path, name: str) -> str:
    """The full name of a commit of the checkout at a folder: of a branch, a tag, HEAD~1 or a part of its name.

    Raises:
        UserError: the folder is not the top of a checkout, git is missing or refuses it, or there is no such commit.
    """
    try:
        if _git(root, "rev-parse", "--show-cdup").strip():
            raise UserError(f"{root} must be the top of a git checkout, and is a folder in one: clone the project")
    except OSError as error:
        raise UserError(f"{root} must be a git checkout, and git is not to be had: install git") from error
    except subprocess.CalledProcessError as error:
        if "not a git repository" in (words := " ".join(_lines(error))):
            raise UserError(f"{root} must be a git checkout, and it is none: clone the project") from error
        raise UserError(f"git must be able to read {root}; it says {words}: mend this, or clone the project") from error
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    except (subprocess.CalledProcessError, ValueError, OSError) as error:  # no commit, or nothing to ask git for
        raise UserError(
            f"a commit must be one that this checkout has, got {reprlib.repr(name)}: `git fetch` it (a shallow clone, "
            "as GitHub Actions makes one, has the last alone: `fetch-depth: 0`), or choose one of `git log`"
        ) from error


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """A folder with all files of a commit, for as long as the block lasts; the checkout's own files stay as they are.

    Raises:
        UserError: git cannot make one.
    """
    with scratch() as folder:
        path = folder.resolve() / "tree"
        try:
            _git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", str(path), commit)
        except subprocess.CalledProcessError as error:
            raise UserError(
                f"git must be able to check commit {commit[:12]} out in {path}; it says {_lines(error)[-1]}: make room "
                "there, or name another folder in TMPDIR"
            ) from error
        try:
            yield path
        finally:
            _git(root, "worktree", "remove", "--force", str(path))


def bounded(diff: bytes, most: int = MOST_BYTES) -> str:
    """The diff as text; of a longer one the first lines, then its size and hash."""
    if len(diff) <= most:
        return diff.decode(errors="backslashreplace")
    first = diff[: diff.rfind(b"\n", 0, most) + 1].decode(errors="backslashreplace")
    return f"{first}[cut here: {len(diff)} bytes in all, SHA-256 {hashlib.sha256(diff).hexdigest()}]\n"


def _lines(error: subprocess.CalledProcessError) -> list[str]:
    """What git said, without indents and empty lines."""
    said = [line.strip() for line in error.stderr.decode(errors="replace").splitlines()]
    return [*filter(None, said)] or ["no message"]


def _git(root: Path, *arguments: str) -> bytes:
    """What git prints; bytes, as lines of a diff may end in CR LF."""
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    # In a hook of git, and where a user says so, variables lead to another repository, or change the diff.
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")}
    done = subprocess.run(["git", "-C", str(root), *settings, *arguments], capture_output=True, env=env)
    if not (done.returncode == 1 and "--no-index" in arguments):  # there it means that the two differ
        done.check_returncode()
    return done.stdout
