"""The workflow for GitHub Actions runs commands that this project understands."""

import re

from harness.command.options import check, parser
from tests.support import ROOT

WORKFLOW = (ROOT / ".github" / "workflows" / "check.yml").read_text()
COMMANDS = re.findall(r"^ +- run: (.+)$", WORKFLOW, re.MULTILINE)


def test_it_runs_a_valid_check_and_keeps_the_file_that_the_check_writes():
    (command,) = [command for command in COMMANDS if "reproduce.py" in command]
    python, script, *arguments = command.split()
    assert (python, script) == ("python", "reproduce.py")
    options = parser().parse_args(arguments)
    check(options)
    assert options.check
    assert f"path: {options.junit}\n" in WORKFLOW


def test_it_installs_the_pinned_versions_as_readme_does():
    (command,) = [command for command in COMMANDS if "pip install" in command]
    assert "-c constraints.txt" in command
    assert command.endswith("-e .")
    assert (ROOT / "constraints.txt").exists()
    readme = (ROOT / "README.md").read_text()
    assert ".venv/bin/pip install -c constraints.txt -e ." in readme


def test_readme_shows_it_as_it_is():
    for language in ("README.md", "README.ko.md"):
        for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / language).read_text(), re.MULTILINE | re.DOTALL):
            assert block == WORKFLOW
