"""The models that the page computes with: which of the store's there are, and as many as the page has room for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.experiments.paper import FIGURE4
from harness.store.tables import read_json

SIZES = (2, 5, 10, 20)  # of z, side by side
# Of both datasets; what `--report` trains where it is missing is figure 4's alone.
SHOWN = replace(FIGURE4, panels={"mnist": SIZES, "frey_face": SIZES})
MAX_CHARACTERS = 6_500_000  # of all models together; the pictures need room too


def file_name(dataset: str, n_latent: int, earlier: int | None = None) -> str:
    """Of the file with a model; `earlier` is for how many training samples one had that has had more since."""
    return f"{dataset}-{n_latent}{f'@{earlier}' if earlier else ''}.json"


def read_models(folder: Path) -> dict[str, Mapping[str, Any]]:
    """What `harness.report.weights` has left here, by name, those of the plane first, earlier ones last.

    Of the earlier ones as many as there is room for, from the earliest on: they weigh least and differ most.
    """
    found = {path.stem: path for path in folder.glob("*-*.json")}
    contents: dict[str, Mapping[str, Any]] = {name: read_json(path, dict) for name, path in found.items()}
    contents = {name: content for name, content in contents.items() if "nLatent" in content}  # others are older

    def rank(name: str) -> tuple[bool, int, bool, int]:
        content, earlier = contents[name], "@" in name
        return earlier, content["samples"] if earlier else 0, content["dataset"] != "mnist", content["nLatent"]

    room, kept = MAX_CHARACTERS, {}
    for name in sorted(contents, key=rank):
        room -= found[name].stat().st_size
        if room >= 0 or "@" not in name:
            kept[name] = contents[name]
    return kept
