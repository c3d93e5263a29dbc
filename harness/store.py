"""The result store: one folder for each run, tidy tables beside them. Every file lands whole or not at all."""

import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from filelock import FileLock

from aevb.errors import UserError
from harness.config import Config

State = Literal["running", "interrupted", "finished", "diverged", "failed"]


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        state: "finished" and "diverged" are final; "failed" and "interrupted" runs go on when asked for again.
        samples: training samples evaluated.
        bound: latest running training bound, nats.
        samples_per_second: training alone, evaluation excluded.
        step_size: η, once it is chosen.
        message: why it failed or diverged.
    """

    state: State
    samples: int = 0
    bound: float | None = None
    samples_per_second: float | None = None
    step_size: float | None = None
    message: str = ""

    @property
    def final(self) -> bool:
        """Nothing more will be computed."""
        return self.state in ("finished", "diverged")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that replaces `path` when the block ends well.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"results must be writable; {path}: {reason}; free or choose a folder with --results DIR"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text)


class RunFolder:
    """The files of one run."""

    def __init__(self, root: Path, config: Config) -> None:
        points = f"-n{config.n_train}" if config.n_train else ""
        name = f"{config.dataset}{points}-nz{config.n_latent}-{config.method}-seed{config.seed}-{config.id}"
        self.path = root / name
        self.config = config
        self.checkpoint = self.path / "checkpoint.pt"
        self.curve = self.path / "curve.csv"

    def snapshot(self, samples: int) -> Path:
        """The model at a logged point, where log p(x) is measured."""
        return self.path / "snapshots" / f"{samples}.pt"

    def estimates(self, samples: int) -> Path:
        """Better estimates of log p(x) at that point."""
        return self.path / "snapshots" / f"{samples}.csv"

    def snapshot_samples(self) -> list[int]:
        """The logged points that have a snapshot."""
        return sorted(int(path.stem) for path in (self.path / "snapshots").glob("[0-9]*.pt"))

    def lock(self) -> FileLock:
        """Held by the one process that works on the run; let go when that process dies."""
        self.path.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path / ".lock")

    def status(self) -> Status | None:
        """Latest status, or None where the run was never begun.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / "status.json"
        if not path.exists():
            return None
        try:
            return Status(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"a status must be JSON of this version; {path}: {error}; compute it anew with --force"
            ) from error

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_text(self.path / "status.json", json.dumps(asdict(status), indent=1))

    def begin(self, environment: dict[str, Any]) -> None:
        """Write the config and the environment that computes it."""
        write_text(self.path / "config.json", self.config.to_json())
        write_text(self.path / "environment.json", json.dumps(environment, indent=1))

    def write_curve(self, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the curve by these rows, one for each split and logged point."""
        write_text(self.curve, pd.DataFrame(rows).to_csv(index=False))

    def read_curve(self) -> pd.DataFrame:
        """The curve so far; empty where there is none.

        Raises:
            UserError: the file is damaged.
        """
        if not self.curve.exists():
            return pd.DataFrame()
        curve = pd.read_csv(io.StringIO(self.curve.read_text()))
        needed = {"split", "samples", self.config.measure, "standard_error", "seconds"}
        if absent := needed - {*curve.columns}:
            raise UserError(
                f"a curve must have columns {sorted(needed)}; {self.curve} lacks {sorted(absent)}; use --force"
            )
        return curve

    def clear(self) -> None:
        """Forget all that was computed."""
        shutil.rmtree(self.path, ignore_errors=True)


def stored_configs(root: Path) -> list[Config]:
    """Configs of all runs in a folder of runs; those of another version are left out."""
    configs = []
    for path in sorted(root.glob("*/config.json")):
        try:
            configs.append(Config.from_json(path.read_text()))
        except (UserError, ValueError):
            continue
    return configs


def collect(root: Path, configs: Iterable[Config], key: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves of these runs as one tidy table, and one line for each run with its status.

    Columns: protocol and `key`, then split, seed, samples and what was measured; in the second table seed, status
    (finished, diverged, failed or unfinished), samples, step_size and message.
    """
    curves, runs = [], []
    for config in configs:
        folder = RunFolder(root, config)
        status = folder.status()
        if status is None:
            continue
        curve = folder.read_curve()
        names = {column: getattr(config, column) for column in ("protocol", *key)}
        front = ["split", "seed"]
        measured = [column for column in curve.columns if column not in front]
        curves.append(curve.assign(**names, seed=config.seed).reindex(columns=[*names, *front, *measured]))
        state = status.state if status.final or status.state == "failed" else "unfinished"
        outcome = {"status": state, "samples": status.samples, "step_size": status.step_size, "message": status.message}
        runs.append({**names, "seed": config.seed, **outcome})
    nonempty = [curve for curve in curves if len(curve)]
    columns = ["protocol", *key, "split", "seed", "samples", "lower_bound", "standard_error", "seconds"]
    table = pd.concat(nonempty, ignore_index=True) if nonempty else pd.DataFrame(columns=columns)
    outcomes = ["seed", "status", "samples", "step_size", "message"]
    return table, pd.DataFrame(runs, columns=["protocol", *key, *outcomes])
