"""What a stored study took."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from harness.store.shelves import Shelves
from harness.store.tables import read_json, read_table, reading
from harness.studies.reparameterization.table import CURVE

# Tables that tell what a study took, and the columns of each that name its parts.
PARTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "choices": {"runs": ()},
    "marginal": {"marginal": ()},
    "models": {"models": ()},
    "reparameterization": {"variance": ("stage",), "curves": CURVE},
}


def seconds_of(rows: pd.DataFrame, part: Sequence[str]) -> float:
    """Of a study's table: of its parts, whose rows count from the part's start, or of each row."""
    return float((rows.groupby([*part])["seconds"].max() if part else rows["seconds"]).sum())


def seconds_at(shelves: Shelves, name: str, study: Any) -> float:
    """What a study of just this size took, the reader's or the published one; NaN where another is stored, or none.

    Raises:
        UserError: a file is not as it was written.
    """
    total = 0.0
    for table, part in PARTS.get(name, {}).items():
        path = shelves.place("studies", name, f"{table}.csv")
        if path is None or not (config := path.with_name("config.json")).exists():
            return math.nan
        if read_json(config, dict) != json.loads(json.dumps(asdict(study))):
            return math.nan
        rows = read_table(path, "seconds", *part)
        with reading(path):
            total += seconds_of(rows, part)
    return total if name in PARTS else math.nan
