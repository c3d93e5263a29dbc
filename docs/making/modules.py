"""Which public modules of the library no page describes yet: the last of its pages takes them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aevb", "baselines")
DOORS = ("aevb", "aevb.fast", "aevb.marginal", "baselines")  # nothing of their own is behind them but what pages name
_DESCRIBED = re.compile(r"^::: (\S+)$", re.MULTILINE)


def public_modules() -> list[str]:
    """Full names, sorted."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return sorted(name for name in names - {*DOORS} if not any(part.startswith("_") for part in name.split(".")))


def others() -> str:
    """What mkdocstrings takes for each module that no page names: Markdown."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md")]
    described = {name for text in texts for name in _DESCRIBED.findall(text)}
    return "\n".join(f"::: {name}" for name in public_modules() if name not in described)
