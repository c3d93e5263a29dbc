"""Pictures from the store, made small enough to travel inside the page."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageSequence

from harness.report.source import Source, picture_sources, read

WIDTHS = (1600, 1200, 900, 640, 440, 280)
# Frames of Frey Face are not ours to hand on: of that dataset only what models make is shown.
DEMOS_WITHOUT_DATA = ("generate",)


@dataclass(frozen=True)
class Picture:
    """A picture of the store.

    Attributes:
        id: of its origin's element in the page.
        path: of its file.
        sources: how it was drawn, and the runs that it shows.
    """

    id: str
    path: Path
    sources: list[Source]

    @property
    def name(self) -> str:
        """Its file's name, which tells what it shows."""
        return self.path.name


@dataclass(frozen=True)
class Embedded:
    """A picture as the page holds it: data URI and size in pixels."""

    uri: str
    width: int
    height: int


def pictures(folder: Path, prefix: str) -> list[Picture]:
    """The pictures of a folder, each with the record of the same name, or the folder's only one."""
    found = []
    for path in sorted([*folder.glob("*.png"), *folder.glob("*.gif")]):
        record = path.with_suffix(".json")
        if not record.exists():
            record = next(iter(sorted(folder.glob("*.json"))), record)
        if shows_data_not_ours(path, record):
            continue
        name = f"{prefix}-{path.stem}".replace(" ", "-").replace(".", "-")
        found.append(Picture(f"picture-{name}{path.suffix[1:]}", path, picture_sources(name, path.name, record)))
    return [Picture(p.sources[0].id, p.path, p.sources) for p in found]


def shows_data_not_ours(path: Path, record: Path) -> bool:
    """The picture may hold original frames of Frey Face; a record says whether, and without a word it is assumed."""
    dataset, _, demo = path.parent.name.partition("-")
    if dataset != "frey_face" or demo in DEMOS_WITHOUT_DATA:
        return False
    return bool((read(record) or {}).get("shows_data", True))


def embed(paths: Iterable[Path], budget: int) -> dict[Path, Embedded]:
    """Data URIs of pictures, as wide as lets all of them together stay within `budget` characters."""
    wanted = list(paths)
    made: dict[Path, Embedded] = {}
    for width in WIDTHS:
        made = {path: _encode(path, width) for path in wanted}
        if sum(len(picture.uri) for picture in made.values()) <= budget:
            break
    return made


def _encode(path: Path, width: int) -> Embedded:
    with Image.open(path) as image:
        durations = [frame.info.get("duration", 0) for frame in ImageSequence.Iterator(image)]
        frames = [_shrunk(frame, width) for frame in ImageSequence.Iterator(image)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", quality=84, method=4, **_animation(frames, durations))
    uri = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Embedded(uri, *frames[0].size)


def _shrunk(frame: Image.Image, width: int) -> Image.Image:
    """The frame on white, no wider than asked for."""
    whole = frame.convert("RGBA")
    paper = Image.new("RGBA", whole.size, "white")
    paper.alpha_composite(whole)
    flat = paper.convert("RGB")
    if flat.width <= width:
        return flat
    return flat.resize((width, round(flat.height * width / flat.width)), Image.Resampling.LANCZOS)


def _animation(frames: Sequence[Image.Image], durations: Sequence[int]) -> dict[str, object]:
    if len(frames) == 1:
        return {}
    return {"save_all": True, "append_images": frames[1:], "duration": list(durations), "loop": 0}
