"""The result store: one folder for each run. Every file lands whole or not at all, and its damage is noticed."""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from aevb.errors import UserError
from aevb.files import LEFT_OVER
from aevb.places import short_name
from harness.experiments.config import Config
from harness.store.checksums import ABSENT, Damaged, forget_checked, named_sums, read_checked, write_checked
from harness.store.checksums import NAME as CHECKSUMS
from harness.store.files import remove, unwritable
from harness.store.locks import Hold, hold
from harness.store.records import parse_curve, parse_environments
from harness.store.status import Status, parse_status


class RunFolder:
    """The files of one run.

    Args:
        root: folder of runs.
        config: of the run.
        published: it comes with the project, and is only read.
    """

    def __init__(self, root: Path, config: Config, *, published: bool = False) -> None:
        points = f"-n{config.n_train}" if config.n_train else ""
        dataset, method = short_name(config.dataset), short_name(config.method)
        name = f"{dataset}{points}-nz{config.n_latent}-{method}-seed{config.seed}-{config.id}"
        self.path = root / name
        self.config = config
        self.published = published
        self.checkpoint = self.path / "checkpoint.pt"
        self.previous_checkpoint = self.path / "checkpoint.previous.pt"
        self.curve = self.path / "curve.csv"

    def __eq__(self, other: object) -> bool:
        """The same files."""
        return isinstance(other, RunFolder) and self.path == other.path

    def __hash__(self) -> int:
        """That of the path."""
        return hash(self.path)

    def model(self, samples: int) -> Path:
        """The model as it was after so many samples: see `aevb.trained.describe`."""
        return self.path / "models" / f"{samples}.pt"

    def estimates(self, samples: int) -> Path:
        """Better estimates of that model's log p(x)."""
        return self.path / "models" / f"{samples}.csv"

    def model_samples(self) -> list[int]:
        """When the models that are kept were kept: at powers of ten and at the end."""
        return self._numbered("pt")

    def estimated_samples(self) -> list[int]:
        """Which of them have better estimates."""
        return self._numbered("csv")

    def forget_model(self, samples: int) -> None:
        """Remove a kept model, and the better estimates of it."""
        remove(self.model(samples))
        remove(self.estimates(samples))

    def _numbered(self, kind: str) -> list[int]:
        names = (path.stem for path in (self.path / "models").glob(f"*.{kind}"))
        return sorted(int(name) for name in names if name.isdecimal() and str(int(name)) == name)

    def lock(self, should_stop: Callable[[], bool] = lambda: False) -> AbstractContextManager[Hold | None]:
        """Held by the one process that works on the run; see `harness.store.locks.hold`."""
        return hold(self.path / ".lock", should_stop)

    def status(self) -> Status | None:
        """Latest status, or None where the run was never begun. One that is damaged is that of a failed run.

        So is one that may not be read.
        """
        try:
            return self._read_status()
        except FileNotFoundError:
            return None
        except (Damaged, ValueError, TypeError):
            path = self.path / "status.json"
            return Status("failed", message=f"{path} is damaged; the command that computes the run mends it")
        except UserError as error:
            return Status("failed", message=str(error))

    def write_status(self, status: Status, *, durable: bool = False) -> None:
        """Replace the status; a final one is durable in any case."""
        text = json.dumps(asdict(status), indent=1)
        write_checked(self.path / "status.json", text, durable=durable or status.final)

    def reopen(self) -> None:
        """Say that nothing is done, before anything else is changed; called by the holder of the lock.

        What a status calls completed is then as it was when that was written.
        """
        now = self.status() or Status("running")
        self.write_status(replace(now, state="running", completed=0, message=""), durable=True)

    def begin(self, environment: dict[str, Any], earlier: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        """Write the config, and add to the environments that compute it; called by the holder of the lock.

        Args:
            environment: that computes it now.
            earlier: the environments so far.

        Returns:
            All environments; one that goes on with what it began with has the dates in `resumed`.
        """
        for pattern in (LEFT_OVER, f"models/{LEFT_OVER}"):
            for left_by_the_killed in self.path.glob(pattern):
                remove(left_by_the_killed)
        write_checked(self.path / "config.json", self.config.to_json())
        return self.write_environments(earlier, environment)

    def write_environments(
        self, earlier: Sequence[dict[str, Any]], environment: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Replace the environments by these earlier ones and the one that computes it now; see `begin`."""
        all_of_them = _with(earlier, environment)
        write_checked(self.path / "environment.json", json.dumps(all_of_them, indent=1))
        return all_of_them

    def mend_records(self) -> None:
        """Write config, checksums and list of environments again; which those were is lost where their file is."""
        environments = self.environments_or([])
        write_checked(self.path / "config.json", self.config.to_json())
        write_checked(self.path / "environment.json", json.dumps(environments, indent=1))
        for name in ("status.json", "curve.csv"):
            if (path := self.path / name).exists():
                write_checked(path, read_checked(path))

    def environments(self) -> list[dict[str, Any]]:
        """What has computed the run, first to last.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / "environment.json"
        try:
            return parse_environments(read_checked(path))
        except FileNotFoundError:
            return []
        except (Damaged, ValueError) as error:
            raise _not_whole("environment", path, error) from error

    def environments_or(self, saved: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What has computed the run; where the file is damaged or lost, what else is known of that."""
        try:
            return self.environments() or [*saved]
        except UserError:
            return [*saved]

    def device_type(self) -> str:
        """ "cpu" or "cuda", the kind of device that computed it, of which a run has one; "" where no record tells."""
        try:
            known = [name for each in self.environments() if (name := each.get("device_type"))]
        except UserError:
            return ""
        return str(known[-1]) if known else ""

    def devices(self) -> str:
        """Their names, as their makers have them, with " + " between those of several; "" where no record tells."""
        try:
            return " + ".join(dict.fromkeys(str(name) for each in self.environments() if (name := each.get("device"))))
        except UserError:
            return ""

    def write_curve(self, rows: Sequence[dict[str, Any]], *, durable: bool = False) -> None:
        """Replace the curve by these rows, one for each split and logged point; a checkpoint has them too."""
        if rows:
            write_checked(self.curve, pd.DataFrame(rows).to_csv(index=False), durable=durable)
        else:
            forget_checked(self.curve)

    def read_curve(self) -> pd.DataFrame:
        """The curve so far; empty where there is none.

        Raises:
            UserError: the file is damaged.
        """
        try:
            return parse_curve(read_checked(self.curve), self.config.measure)
        except FileNotFoundError:
            return pd.DataFrame()
        except (Damaged, ValueError) as error:  # pandas' errors are ValueErrors
            raise _not_whole("curve", self.curve, error) from error

    def damaged(self) -> list[str]:
        """Names of the files that are not as they were written, or are lost; checkpoints aside."""
        try:
            named, names = named_sums(self.path), list[str]()
        except Damaged:
            named, names = {}, [CHECKSUMS]
        for name, read in (("config.json", self._read_config), ("environment.json", self.environments),
                           ("status.json", self._read_status), ("curve.csv", self.read_curve)):  # fmt: skip
            try:
                if (self.path / name).exists():
                    read()
                elif ABSENT not in named.get(name, [ABSENT]):
                    names.append(name)
            except (FileNotFoundError, UserError, ValueError, TypeError):
                names.append(name)
        return names

    def _read_status(self) -> Status:
        return parse_status(read_checked(self.path / "status.json"))

    def _read_config(self) -> None:
        if Config.from_json(read_checked(self.path / "config.json")) != self.config:
            raise ValueError("another config")

    def mark_stale(self) -> None:
        """Have the next process that works on the run begin anew; until then what was computed stays."""
        try:
            (self.path / "stale").touch()
        except FileNotFoundError:
            return  # nothing was computed
        except OSError as error:
            raise unwritable(self.path, error) from error

    def is_stale(self) -> bool:
        """The run is to begin anew."""
        return (self.path / "stale").exists()

    def is_done(self, samples: int) -> bool:
        """Up to so many samples nothing is left to compute, and nothing to mend but perhaps a checkpoint or a model."""
        if self.is_stale():
            return False
        status = self.status()
        if status is None or not status.reaches(samples) or self.damaged():
            return False
        needed = ["config.json", "environment.json", *(["curve.csv"] if status.state != "diverged" else [])]
        return all((self.path / name).exists() for name in needed)

    def clear(self) -> None:
        """Forget all that was computed; called by the holder of the lock, which stays."""
        try:
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name not in (".lock", "stale"):
                    path.unlink()
        except OSError as error:
            raise unwritable(self.path, error) from error
        remove(self.path / "stale")  # last: a process that dies before this leaves it to the next


def _with(earlier: Sequence[dict[str, Any]], environment: dict[str, Any]) -> list[dict[str, Any]]:
    """All environments, where the last one and the new one may differ in their dates alone."""
    if earlier and {**earlier[-1], "started": "", "resumed": ""} == {**environment, "started": "", "resumed": ""}:
        dates = [*earlier[-1].get("resumed", []), environment["started"]]
        return [*earlier[:-1], {**earlier[-1], "resumed": dates}]
    return [*earlier, environment]


def _not_whole(what: str, path: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0].removeprefix(f"{path}: ")
    return UserError(f"a file must be whole; the {what} {path}: {reason}; the command that computes the run mends it")
