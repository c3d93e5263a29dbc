"""The result store: one folder for each run, tidy tables beside them. Every file lands whole or not at all."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from filelock import FileLock, Timeout

from aevb.errors import UserError
from harness.config import Config
from harness.files import unwritable, write_text

State = Literal["running", "interrupted", "finished", "diverged", "failed"]
SECONDS_BETWEEN_TRIES = 0.5


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        state: "finished" and "diverged" are final; "failed" and "interrupted" runs go on when asked for again.
        samples: training samples evaluated.
        bound: latest running training bound, or log p(x) where that is measured, nats.
        samples_per_second: training alone, evaluation excluded.
        evaluation_seconds: what the logged points took.
        step_size: η, once it is chosen.
        message: why it failed or diverged.
    """

    state: State
    samples: int = 0
    bound: float | None = None
    samples_per_second: float | None = None
    evaluation_seconds: float = 0.0
    step_size: float | None = None
    message: str = ""

    @property
    def final(self) -> bool:
        """Nothing more will be computed."""
        return self.state in ("finished", "diverged")


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

    @contextmanager
    def lock(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[bool]:
        """Held by the one process that works on the run; let go when that process dies.

        False where `should_stop` ended the wait for another process.

        Raises:
            UserError: the folder cannot be written.
        """
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            while True:
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=SECONDS_BETWEEN_TRIES)
                if lock.is_locked or should_stop():
                    break
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            yield lock.is_locked
        finally:
            lock.release()

    def status(self) -> Status | None:
        """Latest status, or None where the run was never begun.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / "status.json"
        try:
            return Status(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UserError(
                f"a status must be JSON of this version; {path}: {error}; compute it anew with --force"
            ) from error

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_text(self.path / "status.json", json.dumps(asdict(status), indent=1))

    def begin(self, environment: dict[str, Any]) -> None:
        """Write the config, and add to the environments that compute it; called by the holder of the lock."""
        for left_by_the_killed in self.path.rglob(".*.[0-9]*"):
            left_by_the_killed.unlink(missing_ok=True)
        path = self.path / "environment.json"
        earlier = json.loads(path.read_text()) if path.exists() else []
        write_text(self.path / "config.json", self.config.to_json())
        write_text(path, json.dumps([*earlier, environment], indent=1))

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
        needed = {"split", "samples", self.config.measure, "standard_error", "seconds"}
        try:
            curve = pd.read_csv(io.StringIO(self.curve.read_text()))
            if absent := needed - {*curve.columns}:
                raise ValueError(f"no column {', '.join(sorted(absent))}")
            return curve.astype({"samples": int, self.config.measure: float})
        except ValueError as error:  # pandas' errors are ValueErrors
            reason = str(error).splitlines()[0]
            raise UserError(
                f"a curve must be whole; {self.curve}: {reason}; compute the run anew with --force"
            ) from error

    def mark_stale(self) -> None:
        """Have the next process that works on the run begin anew; until then what was computed stays."""
        if self.path.exists():
            write_text(self.path / "stale", "")

    def is_stale(self) -> bool:
        """The run is to begin anew."""
        return (self.path / "stale").exists()

    def is_done(self) -> bool:
        """Nothing is left to compute."""
        if self.is_stale():
            return False
        status = self.status()
        return status is not None and status.final

    def clear(self) -> None:
        """Forget all that was computed; called by the holder of the lock, which stays."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (".lock", "stale"):
                path.unlink()
        (self.path / "stale").unlink(missing_ok=True)  # last: a process that dies before this leaves it to the next


def stored_configs(root: Path) -> list[Config]:
    """Configs of all runs in a folder of runs; those of another version are left out."""
    configs = []
    for path in sorted(root.glob("*/config.json")):
        try:
            configs.append(Config.from_json(path.read_text()))
        except (UserError, ValueError):
            continue
    return configs


def collect(
    root: Path, configs: Iterable[Config], key: Sequence[str], measure: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves of these runs as one tidy table, and one line for each run with its status.

    Columns: protocol and `key`, then split, seed, samples, `measure` and what else was measured; in the second table
    seed, status (finished, diverged, failed or unfinished), and from the run's status samples, step_size,
    samples_per_second, evaluation_seconds and message.
    """
    outcomes = ("samples", "step_size", "samples_per_second", "evaluation_seconds", "message")
    front = ["split", "seed", "samples", measure, "standard_error"]
    curves, runs = [pd.DataFrame(columns=["protocol", *key, *front, "seconds"])], []
    for config in configs:
        folder = RunFolder(root, config)
        names = {column: getattr(config, column) for column in ("protocol", *key)}
        try:
            status, curve = folder.status(), folder.read_curve()
        except UserError as error:
            status, curve = Status("failed", message=str(error)), pd.DataFrame()
        if status is None:
            continue
        if len(curve):
            others = [column for column in curve.columns if column not in front]
            curve = curve.assign(**names, seed=config.seed)[[*names, *front, *others]]
            curves = [*curves, curve] if len(curves[0]) else [curve]
        state = status.state if status.final or status.state == "failed" else "unfinished"
        runs.append(
            {**names, "seed": config.seed, "status": state, **{name: getattr(status, name) for name in outcomes}}
        )
    table = pd.concat(curves, ignore_index=True)
    return table, pd.DataFrame(runs, columns=["protocol", *key, "seed", "status", *outcomes])
