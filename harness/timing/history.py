"""How fast learners were, commit by commit: a row for each measurement, and ratios on one and the same machine."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.figures.compare import label
from harness.store.columns import fold, format_sections
from harness.store.files import write_text
from harness.store.machine import title
from harness.store.tables import read_json, read_table, reading

NAME = "history.csv"
COLUMNS = ("date", "commit", "machine", "fingerprint", "case", "samples_per_second", "low", "high")
SIZES = (([500], 20), ([100], 3))  # hidden units and N_z of figures 2 and 3
CONTROL = "plain PyTorch"  # an engine whose code stays: what it gains or loses is the machine's, or chance
CLOCK = "megahertz"  # of the fingerprint; where the system knows only that of now, it is never the same
SHORT = 12  # digits of a commit in print


def remember(folder: Path) -> None:
    """Add the key rates of every device's file to the folder's history, each measurement once."""
    found = [row for path in sorted(folder.glob("*.json")) for row in _rows(path)]
    if not found:
        return
    joined = pd.concat([read_history(folder), pd.DataFrame(found, columns=[*COLUMNS])], ignore_index=True)
    joined = joined.drop_duplicates(["date", "fingerprint", "case"], keep="last").sort_values("date", kind="stable")
    write_text(folder / NAME, joined.to_csv(index=False))


def read_history(folder: Path) -> pd.DataFrame:
    """The folder's history, oldest first; empty where there is none."""
    path = folder / NAME
    if not path.exists():
        return pd.DataFrame(columns=[*COLUMNS])
    return read_table(path, *COLUMNS)


def _rows(path: Path) -> Iterator[dict[str, object]]:
    """A row for each learner of figures 2 and 3, by hand in float32, with the paper's M and L, and for the control."""
    stored = read_json(path, dict)
    with reading(path):
        environment = stored["environment"]
        known = {
            "date": environment["started"],
            "commit": environment["commit"] or environment.get("version", ""),
            "machine": title(environment),
            "fingerprint": fingerprint_id(environment),
        }
        for each in stored["measured"]:
            if not _is_key(each):
                continue
            # A rate's interval is that of the seconds the other way round; older files have none.
            ends = [each["samples"] / each[name] if name in each else None for name in ("seconds_high", "seconds_low")]
            name = CONTROL if each["engine"] == CONTROL else label(each["method"])
            case = f"{name} {each['hidden'][0]}/{each['n_latent']}"
            yield (
                known
                | {"case": case, "samples_per_second": each["samples_per_second"]}
                | dict(zip(("low", "high"), ends, strict=True))
            )


def _is_key(case: Mapping[str, Any]) -> bool:
    usual = case["suite"] == "learner" and case["precision"] == "float32" and case["n_samples"] == 1
    by_hand = case["engine"] == ("graph" if case["device_type"] == "cuda" and case["method"] != "mcem" else "fast")
    return (
        usual
        and (by_hand or case["engine"] == CONTROL)
        and case["batch_size"] in (0, 100)
        and (case["hidden"], case["n_latent"]) in SIZES
    )


def fingerprint_id(environment: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of what decides how fast a machine is, but for its clock; two machines have others.

    Older records have no fingerprint: theirs is that of the maker's name, and compares with no other.
    """
    machine = {name: value for name, value in (environment.get("machine") or {}).items() if name != CLOCK}
    instructions = (environment.get("instructions") or {}).get("torch")
    facts = [environment["device"], environment["device_type"], instructions, environment.get("threads"), machine]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def compare_commits(history: pd.DataFrame) -> pd.DataFrame:
    """Text: for each machine and case measured at two commits or more, the last one's rate over the one's before.

    Of several measurements of a commit the last counts. The two were not taken in turns: the ratio's interval has both
    rates' own, and not what the machine's other guests did meanwhile, which the control's ratio gives an idea of. So
    nothing is said to be slower or faster; `--against` does.
    """
    rows = []
    for (_, case), runs in history.groupby(["fingerprint", "case"], sort=False):
        last = runs.drop_duplicates("commit", keep="last")
        if len(last) < 2:
            continue
        before, now = last.iloc[-2], last.iloc[-1]
        ratio = now["samples_per_second"] / before["samples_per_second"]
        low, high = now["low"] / before["high"], now["high"] / before["low"]
        rows.append({
            "case": case,
            "machine": now["machine"],
            "before": _short(before["commit"]),
            "now": _short(now["commit"]),
            "commits": len(last),
            "samples/s before": f"{before['samples_per_second']:,.0f}",
            "samples/s now": f"{now['samples_per_second']:,.0f}",
            "ratio": f"{ratio:.3f}",
            "95 % interval": f"{low:.3f}–{high:.3f}" if low == low and high == high else "–",
        })  # fmt: skip
    return pd.DataFrame(rows)


def format_changes(changes: pd.DataFrame) -> str:
    """What is printed of `compare_commits`: a section for each machine and pair of commits."""
    heads = [fold(f"{row['machine']}: {row['before']} to {row['now']}") for row in changes.to_dict("records")]
    table = changes.drop(columns=["machine", "before", "now", "commits"])
    told = {name: str(name).removeprefix("samples/s ") for name in table}
    return format_sections(heads, table.rename(columns=told))


def _short(commit: object) -> str:
    name, _, changes = str(commit).partition(" ")
    return f"{name[:SHORT]}{'+' if changes else ''}"
