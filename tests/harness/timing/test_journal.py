"""A journal's lines outlive their process, and count only below the same heading."""

import pytest

from harness.timing.journal import Journal, read_journal

HEADING = {"commit": "abc", "device": ["Some GPU"], "packages": {"torch": "2.9"}}
LINES = [{"case": "a", "seconds": 0.1}, {"case": "b", "seconds": 0.2}]


@pytest.fixture
def journal(tmp_path):
    """The path of one that has two lines, and was left as a killed process leaves it."""
    path = tmp_path / "journal.jsonl"
    killed = Journal(path, HEADING)
    for k, line in enumerate(LINES, 1):
        killed.add(line)
        assert read_journal(path) == (HEADING, LINES[:k])
    return path


@pytest.mark.parametrize("torn", [b"", b'{"case": "c", "sec', b'{"case": "c"}', b"\0\0\0\n", b"3\n"])
def test_whole_lines_count_and_a_torn_one_does_not(journal, torn):
    with journal.open("ab") as file:
        file.write(torn)
    resumed = Journal(journal, HEADING)
    assert (resumed.lines, resumed.differs) == (LINES, [])
    resumed.add({"case": "c"})
    assert read_journal(journal) == (HEADING, [*LINES, {"case": "c"}])


@pytest.mark.parametrize(
    "change", [{"commit": "abd"}, {"device": ["Other GPU"]}, {"packages": {"torch": "2.10"}}, {"methods": {"aevb": ""}}]
)
def test_below_another_heading_it_begins_anew_and_says_what_differs(journal, change):
    other = Journal(journal, HEADING | change)
    assert (other.lines, other.differs) == ([], [*change])
    assert read_journal(journal) == (HEADING | change, [])


def test_where_nothing_was_measured_nothing_differs(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path, HEADING)
    assert Journal(path, HEADING | {"commit": "abd"}).differs == []


def test_who_was_left_behind_writes_no_line_to_a_journal_that_has_gone_on(journal):
    left = Journal(journal, HEADING)
    Journal(journal, HEADING)
    left.add({"case": "c"})
    assert read_journal(journal) == (HEADING, LINES)
