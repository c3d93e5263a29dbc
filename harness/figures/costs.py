"""What a training sample costs each method, as `--benchmark --method` has timed it."""

import statistics
from collections.abc import Mapping
from typing import Any

from harness.store.machine import title
from harness.store.shelves import Shelves
from harness.store.tables import read_json, reading

METHODS_FOLDER = "methods"  # of a store's benchmarks: what `--benchmark --method` has timed
# Like for like: nobody's gradients by hand, and a network of figure 2.
CASE: Mapping[str, Any] = {
    "engine": "reference", "device_type": "cpu", "precision": "float32", "hidden": [500], "n_latent": 20
}  # fmt: skip


def method_costs(shelves: Shelves) -> tuple[dict[str, float], str]:
    """Time of a training sample over that of one of AEVB's for each method, and the device; nothing where none is.

    The reader's timings, else the project's; of several files the one with most methods. A ratio is that of times which
    were taken one after the other, in one command.
    """
    folder = shelves.folder("benchmarks", METHODS_FOLDER, kinds=[".json"])
    best: tuple[dict[str, float], str] = {}, ""
    for path in sorted(folder.glob("*.json")) if folder is not None else ():
        stored = read_json(path, dict)
        with reading(path):
            rates: dict[str, list[float]] = {}
            for record in stored.get("measured", []):
                if all(record[name] == value for name, value in CASE.items()):
                    rates.setdefault(record["method"], []).append(record["samples_per_second"])
            if "aevb" in rates and len(rates) > len(best[0]):
                of_aevb = statistics.median(rates["aevb"])
                costs = {method: of_aevb / statistics.median(found) for method, found in rates.items()}
                best = costs, title(stored["environment"])
    return best
