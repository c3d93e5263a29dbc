"""The notebook runs from its first cell to its last, and does what it says."""

import json
import warnings

import pytest

from tests.support import ROOT, environment

nbclient = pytest.importorskip("nbclient", reason="the notebook needs nbclient and ipykernel (.[test])")
pytest.importorskip("ipykernel", reason="the notebook needs nbclient and ipykernel (.[test])")
import nbformat  # noqa: E402 - comes with nbclient

FILE = ROOT / "docs" / "notebooks" / "trained_model.ipynb"
NUMBERS = """
import json
hidden, mean = ~visible, load_dataset("mnist").train.mean(0)
off = lambda images: float((images - x)[:, hidden].square().mean())
print(json.dumps({"bound": float(bound.mean()), "restored": off(restored), "mean image": off(mean.expand_as(x))}))
"""


def test_it_runs_whole_shows_its_pictures_and_restores_better_than_a_mean_image(monkeypatch, tmp_path):
    """One run, since a kernel takes seconds to start: the claims share it."""
    folders = {name: str(tmp_path) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}  # and nothing in the user's own
    for name, value in environment(**folders).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(FILE, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    notebook.cells.append(nbformat.v4.new_code_cell(NUMBERS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of event loops and sockets, which are Jupyter's
        nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 6
    numbers = json.loads([output.text for output in outputs if output.output_type == "stream"][-1])
    assert -115 < numbers["bound"] < -95
    assert numbers["restored"] < numbers["mean image"] / 1.5
