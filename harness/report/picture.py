"""Pictures from the store, made small enough to travel inside the page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageSequence

from harness.experiments.paper import DEMOS
from harness.report.source import Source, picture_sources
from harness.store.tables import read_bytes, reading

FIRST = ("figure4", "figure5")  # the paper's figures have most written in them
KINDS = (*FIRST, *DEMOS)  # that the page has texts for, beside the moving "interpolate"
WIDTHS = (1400, 1200, 900, 700, 560, 440, 280)
MOST_FRAMES = 40  # of a moving picture; more are seen in turn, each shown as long as those that it stands for
# Frames of Frey Face are not ours to hand on: of that dataset's demos only pictures of what models make are shown.
WITHOUT_DATA = {("generate", ".png"), ("interpolate", ".gif")}


@dataclass(frozen=True)
class Picture:
    """A picture of the store.

    Attributes:
        title: the dataset that it is about; empty for several.
        path: of its file.
        sources: how it was drawn, and the runs that it shows.
    """

    title: str
    path: Path
    sources: list[Source]

    @property
    def moving(self) -> bool:
        """It does not stand still."""
        return self.path.suffix == ".gif"

    @property
    def alt(self) -> str:
        """Key of what is told to who does not see it."""
        return f"alt.{self._kind}"

    @property
    def caption(self) -> str:
        """Key of what one should see in it."""
        return f"picture.{self._kind}"

    @property
    def _kind(self) -> str:
        """A figure of a protocol other than the author's has its name behind a hyphen."""
        name = self.path.stem.partition("-")[0]
        return f"{name}.moving" if self.moving else name if name in KINDS else "other"


@dataclass(frozen=True)
class Embedded:
    """A picture as the page holds it: data URI and size in pixels."""

    uri: str
    width: int
    height: int


def pictures(folder: Path, title: str = "") -> list[Picture]:
    """The pictures of a folder that may leave the store, each with the record of the same name, or the folder's."""
    found = []
    for path in sorted([*folder.glob("*.png"), *folder.glob("*.gif")]):
        if shows_data_not_ours(path):
            continue
        record = path.with_suffix(".json")
        record = record if record.exists() else folder / "provenance.json"
        name = f"picture-{folder.name}-{record.stem}".replace(" ", "-")
        found.append(Picture(title, path, picture_sources(name, title or path.stem, record)))
    return found


def shows_data_not_ours(path: Path) -> bool:
    """A demo's picture may hold original frames of Frey Face."""
    dataset, _, demo = path.parent.name.partition("-")
    return dataset == "frey_face" and (demo, path.suffix) not in WITHOUT_DATA


def embed(paths: Sequence[Path], budget: int) -> dict[Path, Embedded]:
    """Data URIs of pictures that have `budget` characters together, or the narrowest.

    All grow from width to width together, the paper's figures first, then those that it costs least.
    """
    made = {path: _encode(path, WIDTHS[-1]) for path in paths}
    left = budget - sum(len(picture.uri) for picture in made.values())
    for narrow, width in pairwise(reversed(WIDTHS)):
        wider = {path: _encode(path, width) for path, picture in made.items() if picture.width == narrow}
        costs = {path: len(picture.uri) - len(made[path].uri) for path, picture in wider.items()}
        for path in sorted(costs, key=lambda path: (path.stem.partition("-")[0] not in FIRST, costs[path])):
            if costs[path] <= left:
                made[path] = wider[path]
                left -= costs[path]
    return made


def _encode(path: Path, width: int) -> Embedded:
    with reading(path):
        return _encoded(read_bytes(path), width)


@lru_cache(maxsize=128)  # pages of one process show the same pictures
def _encoded(content: bytes, width: int) -> Embedded:
    flat, durations = _frames(content)
    frames = [_shrunk(frame, width) for frame in flat]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", quality=72 if len(frames) == 1 else 45, method=4, **_animation(frames, durations))
    uri = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Embedded(uri, *frames[0].size)


@lru_cache(maxsize=10)  # all of a page: each is read for every width
def _frames(content: bytes) -> tuple[list[Image.Image], list[int]]:
    """Each that is kept on white, and how long it is shown, in milliseconds."""
    flat, durations = list[Image.Image](), list[int]()
    with Image.open(io.BytesIO(content)) as image:
        every = -(-getattr(image, "n_frames", 1) // MOST_FRAMES)
        for k, frame in enumerate(ImageSequence.Iterator(image)):
            if k % every:
                durations[-1] += frame.info.get("duration", 0)
                continue
            whole = frame.convert("RGBA")
            paper = Image.new("RGBA", whole.size, "white")
            paper.alpha_composite(whole)
            flat.append(paper.convert("RGB"))
            durations.append(frame.info.get("duration", 0))
    return flat, durations


def _shrunk(frame: Image.Image, width: int) -> Image.Image:
    """No wider than asked for."""
    if frame.width <= width:
        return frame
    return frame.resize((width, round(frame.height * width / frame.width)), Image.Resampling.LANCZOS)


def _animation(frames: Sequence[Image.Image], durations: Sequence[int]) -> dict[str, object]:
    if len(frames) == 1:
        return {}
    return {"save_all": True, "append_images": frames[1:], "duration": list(durations), "loop": 0}
