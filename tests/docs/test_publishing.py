"""The workflow that publishes the site runs commands that are there, and publishes what they leave."""

import re

from harness.command.arguments import parser
from harness.command.refusals import check
from tests.support import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
TEXT = (WORKFLOWS / "docs.yml").read_text()
COMMANDS = re.findall(r"^ +- run: (.+)$", TEXT, re.MULTILINE)


def actions(text: str) -> dict[str, str]:
    """Versions of the actions that a workflow uses."""
    return dict(re.findall(r"uses: ([\w./-]+)@(\S+)", text))


def test_it_makes_the_page_before_the_site_which_takes_it_along():
    (install, report, build) = COMMANDS
    assert install.endswith('-c constraints.txt -e ".[docs]"')
    python, script, *arguments = report.split()
    assert (python, script) == ("python", "reproduce.py")
    options = parser().parse_args(arguments)
    check(options)
    assert options.report
    assert str(options.results) == "results", "where docs/making/hook.py looks for report.html"
    assert build == "python -m mkdocs build --strict"


def test_it_publishes_the_folder_that_mkdocs_leaves_and_git_ignores():
    assert "path: site\n" in TEXT
    assert "site_dir" not in (ROOT / "mkdocs.yml").read_text(), "site/ unless said otherwise"
    assert "/site/" in (ROOT / ".gitignore").read_text().split()


def test_it_uses_the_versions_of_actions_that_the_check_uses():
    ours, theirs = actions(TEXT), actions((WORKFLOWS / "check.yml").read_text())
    shared = {*ours} & {*theirs}
    assert "actions/checkout" in shared
    assert all(ours[action] == theirs[action] for action in shared)
    assert re.findall(r'python-version: "(.+)"', TEXT) == re.findall(
        r'python-version: "(.+)"', (WORKFLOWS / "check.yml").read_text()
    )


def test_addresses_of_the_site_and_of_the_project_come_from_whoever_publishes_it():
    config = (ROOT / "mkdocs.yml").read_text()
    for variable in ("SITE_URL", "REPOSITORY"):
        assert f"!ENV [{variable}, " in config
        assert f"{variable}: ${{{{ " in TEXT
