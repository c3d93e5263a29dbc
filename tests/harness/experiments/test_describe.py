from harness.experiments.choices import PROTOCOLS
from harness.experiments.describe import choices_table, document
from tests.support import ROOT


def test_the_document_is_what_the_protocols_say():
    assert (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8") == document()


def test_every_choice_has_a_row_and_what_was_fitted_says_so():
    for name, choices in PROTOCOLS.items():
        table = choices_table(name)
        assert len(table) == len(choices)
        for row, choice in zip(table.to_dict("records"), choices, strict=True):
            assert ("fit" in row["known from"].split(", ")) == ("fit" in choice.evidence)
            assert all(field in row["values"] for field in choice.fields)
