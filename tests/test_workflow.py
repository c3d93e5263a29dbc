"""The workflow for GitHub Actions runs commands that this project understands."""

import re

from harness.command.arguments import parser
from harness.command.refusals import check
from tests.support import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOW, SPEED = (FOLDER / "check.yml").read_text(), (FOLDER / "speed.yml").read_text()
COMMANDS, TIMED = (re.findall(r"^ +- run: (.+)$", text, re.MULTILINE) for text in (WORKFLOW, SPEED))


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


def test_speed_is_compared_with_a_commit_that_the_workflow_has_fetched():
    (command,) = [command for command in TIMED if "reproduce.py" in command]
    options = parser().parse_args(command.partition(" | ")[0].split()[2:])
    check(options)
    assert options.benchmark
    assert options.fail_if_slower
    assert options.against == "HEAD^1"
    assert "fetch-depth: 2\n" in SPEED
    assert "shell: bash\n" in SPEED  # which fails where the first of two commands does
    assert [each for each in TIMED if "pip install" in each] == [each for each in COMMANDS if "pip install" in each]


def test_readme_shows_it_as_it_is():
    for language in ("README.md", "README.ko.md"):
        for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / language).read_text(), re.MULTILINE | re.DOTALL):
            assert block == WORKFLOW
