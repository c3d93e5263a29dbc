"""Tables and texts as Markdown."""

import pandas as pd

NONE_YET = "No results of this are published yet: the command above computes them."


def markdown(table: pd.DataFrame) -> str:
    """A table, numbers to the right."""
    texts = table.astype(str)
    marks = ["--:" if texts[name].str.fullmatch(r"[\d.,%–]+|all").all() else "---" for name in texts]
    rows = [[*map(str, texts)], marks, *texts.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def fenced(text: str) -> str:
    """As it is, letters of one width."""
    return f"```text\n{text.rstrip()}\n```"
