"""Where trained models lie in the store."""

from pathlib import Path

from harness.experiments.config import Config
from harness.store.run_folder import RunFolder


def model_runs(results: Path, scale: str) -> Path:
    """Where the runs are kept that figures 4 and 5 and the demos need and figure 2 does not have."""
    return results / scale / "models" / "runs"


def find_run(results: Path, scale: str, config: Config) -> RunFolder | None:
    """The finished run of a config, with the model that came of it; None where there is none.

    Args:
        results: root of the store.
        scale: name of the scale.
        config: of the run.
    """
    for root in (model_runs(results, scale), results / scale / "figure2" / "runs"):
        folder = RunFolder(root, config)
        if folder.checkpoint.exists() and state_of(folder) == "finished":
            return folder
    return None


def state_of(folder: RunFolder) -> str:
    """The state that a run's status names; "not run" where there is none."""
    status = folder.status()
    if status is None or folder.is_stale():
        return "not run"
    return status.state
