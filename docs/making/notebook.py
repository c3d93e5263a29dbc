"""The notebook as a page of the site: its text and its code, without what it shows."""

import json
from pathlib import Path

FILE = "notebooks/trained_model.ipynb"


def as_page(path: Path) -> str:
    """Markdown of the cells, with a link to the notebook itself after the first."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = [_part(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    link = f"[The notebook]({FILE}) shows the pictures when it runs; a test runs it whole."
    return "\n\n".join([parts[0], link, *parts[1:]]) + "\n"


def _part(kind: str, source: str) -> str:
    return f"```python\n{source}\n```" if kind == "code" else source
