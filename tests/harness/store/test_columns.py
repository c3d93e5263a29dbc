"""Tables and lines fit any terminal, and lose no number for it."""

import pandas as pd
import pytest

from harness.experiments.paper import EXPERIMENTS
from harness.figures.show import in_print
from harness.figures.trust import format_trust
from harness.store.columns import fold, format_sections, format_table
from tests.support import ROOT
from tests.tally import tally

TABLES = {
    "narrow": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "a long name": pd.DataFrame({"run": ["x" * 150 + ".npy", "mnist"], "samples": ["1,000", "2"], "hours": [0.1, 2]}),
    "many numbers": pd.DataFrame({"run": ["mnist"], **{f"column{n}": [1e6 + n] for n in range(30)}}),
    "both": pd.DataFrame({"run": ["얼" * 90], **{f"c{n}": [f"{n:,}" * 5] for n in range(20)}, "note": ["z" * 200]}),
    "empty": pd.DataFrame({"a": [], "b": []}),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize("width", [40, 60, 80, 120, 400])
def test_a_table_is_no_wider_than_its_terminal_and_has_every_number(table, width):
    text = format_table(table, width)
    assert max(map(len, text.splitlines())) <= width
    for name in table:
        assert str(name) in text
        for value in table[name]:
            assert len(str(value)) > 6 or str(value) in text
    if width == 400 and len(table) and table.shape[1] < 9:
        assert text == table.astype(str).to_string(index=False)
    tally("tables fitted")


@pytest.mark.parametrize("line", ["", "word", "a " * 300, "x" * 200, "/a/path/that is/long/" * 9, "– • ü " * 40])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_folded_line_has_the_same_words(line, width):
    text = fold(line, width)
    assert text.split() == line.split()
    assert all(len(part) <= width or len(part.split()) == 1 for part in text.splitlines())


@pytest.mark.parametrize("width", [80, 100, 200])
def test_tables_of_the_published_results_fit(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    texts = {}
    for figure in (2, 3):
        folder, key = ROOT / "results" / "reference" / f"figure{figure}", EXPERIMENTS[figure].key
        comparison, distances = (pd.read_csv(folder / f"{name}.csv") for name in ("comparison", "agreement"))
        texts[f"comparison {figure}"] = in_print(comparison, distances, (*key, "split"))
    folder, key = ROOT / "results" / "reference" / "figure3", EXPERIMENTS[3].key
    texts["trust"] = format_trust(pd.read_csv(folder / "figure3.csv"), key)
    for name, text in texts.items():
        lines = text.splitlines()
        assert max(map(len, lines)) <= width, name
        assert len(lines) > 9, name
        tally("lines within 80 columns", len(lines))


def test_a_section_has_its_head_once_and_columns_run_through_all_of_them():
    table = pd.DataFrame({"N_z": [2, 10, 2], "off": ["+1.0", "-12.5", "–"], "": ["", "!", ""]})
    assert format_sections(["A", "A", "B"], table, left=[""]).splitlines() == [
        "  N_z   off", "A", "  2    +1.0", "  10  -12.5 !", "B", "  2       –",
    ]  # fmt: skip
