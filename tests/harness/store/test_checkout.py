import hashlib
import json
import os
import subprocess

import pytest

from harness.store.checkout import MOST_BYTES, bounded, state

CLEAN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
PERSON = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
BEFORE = {
    "reproduce.py": b"print(1)\n",
    "aevb/gone.py": b"gone = True\n",
    "aevb/long.py": b"".join(b"line %d\n\n" % n for n in range(60)),
    "harness/dos.py": b"a = 1\r\nb = 2\r\n",
    "harness/run.py": b"".join(b"run %d\n" % n for n in range(9)),
    "harness/order.py": b"u\nx\nx\nx\n",
    "harness/two.py": b"@d\ndef a():\n    pass\n\n@d\ndef c():\n    pass\n",
    "notes.txt": b"old\n",
}
AFTER = {
    "reproduce.py": b"print(2)",  # no end of line
    "aevb/long.py": BEFORE["aevb/long.py"].replace(b"line 7\n", b"line\x0cseven\n").replace(b"line 19\n", b""),
    "harness/dos.py": b"a = 1\r\nb = 3\r\n",
    "baselines/staged.py": b"staged = 1\n",
    "aevb/__init__.py": b"",
    "aevb/deep/new.py": "μ = 'σ²'\t# 새 파일".encode(),
    "aevb/with space.py": b"\\ \x00 \n",
    "aevb/name-\u03c3.py": b"s = 1\n",
    "baselines/moved.py": BEFORE["harness/run.py"],
    "harness/order.py": b"x\nx\nx\nu\n",
    "harness/two.py": b"@d\ndef a():\n    pass\n\n@d\ndef b():\n    pass\n\n@d\ndef c():\n    pass\n",
}


def git(folder, *arguments, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | CLEAN | PERSON
    return subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, **more).stdout


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def python_files(folder):
    paths = [path for path in folder.rglob("*.py") if ".git" not in path.parts]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), os.access(path, os.X_OK)) for path in paths}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Git as it is without any user's settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in CLEAN.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    write(folder, BEFORE)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return folder


@pytest.fixture
def changed(checkout):
    write(checkout, AFTER)
    git(checkout, "add", "baselines")
    (checkout / "aevb" / "gone.py").unlink()
    (checkout / "harness" / "run.py").unlink()
    (checkout / "reproduce.py").chmod(0o755)
    return checkout


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """What a user's settings and variables can do to a diff."""
    attributes, order, ignored = tmp_path / "attributes", tmp_path / "order", tmp_path / "ignored"
    attributes.write_text("*.py diff=odd\nharness/*.py -diff\n")
    order.write_text("reproduce.py\nharness/*\n")
    ignored.write_text("new.py\n")
    settings = {
        "color.ui": "always", "color.diff": "always", "core.attributesFile": attributes, "core.pager": "false",
        "core.excludesFile": ignored, "core.quotePath": "false", "core.abbrev": "5", "diff.external": "echo external",
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.renames": "copies", "diff.context": "0",
        "diff.interHunkContext": "50", "diff.orderFile": order, "diff.relative": "true", "diff.algorithm": "patience",
        "diff.suppressBlankEmpty": "true", "diff.indentHeuristic": "false", "diff.wsErrorHighlight": "all",
        "diff.odd.textconv": "wc", "diff.odd.command": "echo odd", "diff.odd.xfuncname": "^(never)$",
        "pager.diff": "false",
    }  # fmt: skip
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for n, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{n}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{n}", str(value))
    for name, value in {"GIT_DIFF_OPTS": "-u0", "GIT_EXTERNAL_DIFF": "echo", "GIT_PAGER": "false"}.items():
        monkeypatch.setenv(name, value)
    return lambda folder: subprocess.run(["git", "-C", str(folder), "diff", "HEAD"], capture_output=True).stdout


def test_the_diff_applied_to_a_clone_of_the_commit_gives_the_same_files(changed, tmp_path):
    commit, diff = json.loads(json.dumps(state(changed)))
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(changed), str(clone))
    git(clone, "checkout", "-q", commit)
    assert python_files(clone) != python_files(changed)
    git(clone, "apply", "-", input=diff.encode())
    assert python_files(clone) == python_files(changed)


def test_a_users_settings_of_git_change_nothing(changed, hostile, monkeypatch, tmp_path):
    write(changed, {".git/info/attributes": b"baselines/staged.py diff=odd\n"})
    shown = hostile(changed)
    assert b"external" in shown or b"odd" in shown, "the settings are at work"
    under_them = state(changed)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert under_them == state(changed)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_LITERAL_PATHSPECS"])
def test_a_hook_of_another_repository_does_not_lead_away(changed, tmp_path, monkeypatch, name):
    truth = state(changed)
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv(name, str(tmp_path / "other" / ".git"))
    assert state(changed) == truth


def test_what_is_not_the_projects_python_is_no_change(checkout):
    write(checkout, {"notes.txt": b"new", "scratch.py": b"1", "aevb/data.csv": b"1", "aevb/own/ignored.py": b"1"})
    write(checkout, {".git/info/exclude": b"own/\n"})
    os.utime(checkout / "reproduce.py", (1, 1))
    assert state(checkout) == (git(checkout, "rev-parse", "HEAD").decode().strip(), "")


def test_nothing_is_staged_by_looking(changed):
    before = git(changed, "status", "--porcelain")
    state(changed)
    assert git(changed, "status", "--porcelain") == before


def test_what_is_installed_is_not_of_the_repository_around_it(checkout):
    installed = checkout / ".venv" / "lib" / "site-packages"
    write(installed, {"harness/__init__.py": b""})
    assert state(installed) == ("", "")
    write(checkout, {".gitignore": b".venv\n"})
    assert state(installed) == ("", "")


def test_without_a_checkout_or_git_nothing_is_known(tmp_path, checkout, monkeypatch):
    assert state(tmp_path) == ("", "")
    git(tmp_path, "init", "-q", "empty")
    assert state(tmp_path / "empty") == ("", ""), "no commit yet"
    monkeypatch.setenv("PATH", "")
    assert state(checkout) == ("", "")


def test_a_long_diff_is_cut_after_a_line_and_tells_what_the_whole_was(checkout):
    write(checkout, {"aevb/gone.py": b"".join(b"x = %d  # \xce\xbc\n" % n for n in range(30_000))})
    _, diff = state(checkout)
    whole = git(checkout, "diff", "--full-index", "HEAD")
    assert len(whole) > MOST_BYTES
    *kept, last = diff.splitlines(keepends=True)
    begin = "".join(kept)
    assert whole.startswith(begin.encode())
    assert MOST_BYTES - 100 < len(begin.encode()) <= MOST_BYTES
    assert f"{len(whole)} bytes" in last
    assert hashlib.sha256(whole).hexdigest() in last


def test_a_diff_that_just_fits_is_whole():
    assert bounded(b"ab\ncd\n", most=6) == "ab\ncd\n"
    assert bounded(b"ab\ncd\n", most=5).startswith("ab\n[cut here: 6 bytes")
