"""What a picture was made from: its runs, and the environment that made it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from harness.store.environment import describe
from harness.store.files import write_text
from harness.store.shelves import KeptModel


def write_provenance(path: Path, models: Sequence[KeptModel], **settings: Any) -> None:
    """Write JSON with the picture's own settings, the commit and environment that drew it, and its runs.

    Each run has its folder, id, whole config, the training samples after which its model was kept, and the
    environments that computed it.
    """
    content = {**settings, "drawn_with": describe(torch.device("cpu")), "runs": [_run(kept) for kept in models]}
    write_text(path, json.dumps(content, indent=1))


def _run(kept: KeptModel) -> Mapping[str, Any]:
    folder = kept.folder
    return {
        "id": folder.config.id,
        "folder": str(folder.path),
        "config": asdict(folder.config),
        "samples": kept.samples,
        "published": folder.published,
        "environments": folder.environments(),
    }
