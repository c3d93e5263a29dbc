"""What a picture was made from: its runs, and the environment that made it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from harness.store.environment import describe
from harness.store.files import write_text
from harness.store.run_folder import RunFolder


def write_provenance(path: Path, runs: Sequence[RunFolder], **settings: Any) -> None:
    """Write JSON with the picture's own settings, the commit and environment that drew it, and its runs.

    Each run has its folder, id, whole config (seed and samples among it) and the environments that computed it.
    """
    content = {**settings, "drawn_with": describe(torch.device("cpu")), "runs": [_run(folder) for folder in runs]}
    write_text(path, json.dumps(content, indent=1))


def _run(folder: RunFolder) -> Mapping[str, Any]:
    return {
        "id": folder.config.id,
        "folder": str(folder.path),
        "config": asdict(folder.config),
        "environments": folder.environments(),
    }
