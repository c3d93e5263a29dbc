"""Nothing of the user's decides how a figure looks: not a backend, a matplotlibrc, or the fonts that there are."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from harness.experiments.paper_curves import read_published
from harness.figures import letters, panel
from harness.figures.panel import LARGEST, LONGEST, OTHERS, OURS, save
from harness.figures.plot2 import plot_figure2
from harness.figures.plot3 import plot_figure3
from harness.figures.style import STYLE
from harness.pictures.plot import Panel, plot_panels
from tests.support import ROOT, environment
from tests.tally import tally

DRAW = """
import sys, hashlib, pathlib
from {first} import *
import numpy as np
from harness.pictures.plot import Panel, plot_panels
images = np.random.default_rng(0).random((2, 2, 4, 4))
paths = plot_panels([[Panel("one", images), Panel("two", None, "a note")]], "caption", pathlib.Path(sys.argv[1]))
print(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths))
"""
ODD_SETTINGS = {
    "TeX": b"text.usetex: True\n",
    "cut tight, serif, transparent": b"savefig.bbox: tight\nfont.family: serif\nsavefig.transparent: True\n",
    "large, dark": b"font.size: 40\nfigure.dpi: 600\nsavefig.dpi: 600\nfigure.facecolor: black\n",
    "hand-drawn, mathtext, paths": b"path.sketch: 1, 100, 2\nmathtext.fontset: cm\nsvg.fonttype: path\n"
    b"svg.hashsalt: mine\n",
    "a window, locale": b"backend: TkAgg\ninteractive: True\naxes.formatter.use_locale: True\n",
    "no backend": b"backend: nonsense\n", "unknown": b"no.such.thing: 1\n",
    "wrong": b"font.size: huge\nlines.linewidth = 3\n:::\n", "not UTF-8": b"font.family: \xff\xfe\n",
    "layout": b"figure.autolayout: True\nfigure.constrained_layout.use: True\n", "nothing": b"",
    "a mark": b"\xef\xbb\xbffont.size: 3\n",
}  # fmt: skip
BACKENDS = ["module://matplotlib_inline.backend_inline", "module://no.such.module", "nonsense", "TkAgg", "svg", ""]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What is drawn where nothing is set."""
    return drawn(tmp_path_factory.mktemp("plain"))


def drawn(folder, first="harness.figures.plot2", **changes):
    done = subprocess.run(
        [sys.executable, "-c", DRAW.format(first=first), str(folder / "picture")],
        cwd=folder, env=environment(PYTHONPATH=str(ROOT), **changes), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("first", ["harness.pictures.plot"])
def test_no_backend_of_the_environment_stops_or_changes_a_picture(backend, first, plain, tmp_path):
    assert drawn(tmp_path, first, MPLBACKEND=backend) == plain
    tally("odd environments")


@pytest.mark.parametrize("settings", ODD_SETTINGS.values(), ids=ODD_SETTINGS.keys())
def test_no_matplotlibrc_stops_or_changes_a_picture(settings, plain, tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(settings)  # the working folder's counts first
    (tmp_path / "elsewhere").write_bytes(settings)
    changes = {"MATPLOTLIBRC": str(tmp_path / "elsewhere"), "MPLCONFIGDIR": str(tmp_path)}
    assert drawn(tmp_path, **changes) == plain
    (tmp_path / "matplotlibrc").unlink()
    if settings in (b"text.usetex: True\n", b"font.family: \xff\xfe\n"):
        assert drawn(tmp_path, **changes) == plain
    tally("odd environments", 3)


def test_settings_that_a_program_has_made_change_no_picture(tmp_path):
    figures = []
    for changes in ({}, {"font.size": 30, "savefig.bbox": "tight", "text.usetex": True, "lines.linewidth": 9}):
        with matplotlib.rc_context(changes):
            paths = plot_panels([[Panel("one", np.ones((2, 2, 4, 4)))]], "caption", tmp_path / str(len(figures)))
            figures.append([path.read_bytes() for path in paths])
    assert figures[0] == figures[1]


WORDS = [
    "얼굴", "얼굴.npy",
    "人脸", "顔データ", "وجه", "פנים", "मुख", "ใบหน้า", "emoji 🎉", "🧑‍🔬", "mixed 얼굴 и ü", "𝔉raktur",
    "𓀀", "日本語 $5", "a_b^c 얼굴", r"\frac 얼", "{얼}", "%s 얼", "<얼 & 굴>", "\U000f0000", "얼" * 300,
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_letters_that_our_font_lacks_are_drawn_quietly(words, tmp_path):
    """Warnings are errors in this suite, and a letter without a glyph is one."""
    for title, parse in ((words, False), (f"{words.replace('$', chr(92) + '$')}, $N_{{train}}$ = 1,000", True)):
        figure = Figure()
        figure.suptitle(title, parse_math=parse)
        figure.add_subplot().set_title("plain, $N_z$ = 3")
        save(figure, tmp_path / "picture")
        text = "".join(ET.parse(tmp_path / "picture.svg").getroot().itertext())
        drawn, wanted = ("".join(c for c in each if c.isascii() and c.isalpha()) for each in (text, words))
        assert wanted in drawn or "\\" in text
        tally("odd titles")


def test_letters_without_a_font_become_their_code_and_formulas_are_spelt_out(monkeypatch, tmp_path):
    monkeypatch.setattr(letters, "_other_font", lambda missing: ("", frozenset()))
    figure = Figure()
    title = figure.suptitle(r"얼\$ä, $N_{train}$ = 3")
    save(figure, tmp_path / "picture", ["png"])
    assert title.get_text() == "\\uc5bc$ä, N_train = 3"


def test_a_font_that_has_the_letters_is_found_and_taken(monkeypatch):
    entry = font_manager.FontEntry(fname="/some/NanumGothic.ttf", name="NanumGothic")
    broken = font_manager.FontEntry(fname=__file__, name="Broken Sans")
    missing = font_manager.FontEntry(fname="/nowhere.ttf", name="Missing Sans")
    bundled = [font for font in letters.fontManager.ttflist if font.fname.startswith(matplotlib.get_data_path())]
    assert bundled
    monkeypatch.setattr(letters.fontManager, "ttflist", [missing, broken, *bundled, entry])
    known = letters._letters.__wrapped__
    monkeypatch.setattr(
        letters, "_letters", lambda path: frozenset(map(ord, "얼굴")) if "Nanum" in path else known(path)
    )
    assert letters._other_font.__wrapped__(frozenset("얼굴")) == ("NanumGothic", frozenset("얼굴"))
    assert letters._other_font.__wrapped__(frozenset("얼🎉")) == ("NanumGothic", frozenset("얼"))
    assert letters._other_font.__wrapped__(frozenset("🎉")) == ("", frozenset())


def test_our_style_says_everything_that_matplotlib_could_be_told():
    assert {*matplotlib.rcParamsDefault} - {*STYLE} <= {
        "backend", "backend_fallback", "interactive", "toolbar", "figure.hooks",
    }  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 7), (800, 4), (4, 800), (5000, 2), (40, 40)])
def test_a_picture_has_a_largest_size(width, height, tmp_path):
    (path,) = save(Figure(figsize=(width, height)), tmp_path / "picture", ["png"], 300)
    with Image.open(path) as picture:
        assert max(picture.size) <= LONGEST + 1
        assert picture.width * picture.height <= LARGEST * 1.01
        assert picture.width == pytest.approx(300 * width, abs=1) or max(300 * width, 300 * height) > 8000
    tally("shapes drawn")


@pytest.mark.parametrize("figure", [2, 3])
def test_any_number_of_panels_is_drawn(figure, tmp_path, monkeypatch):
    most = LARGEST // 8  # which fewer panels reach
    monkeypatch.setattr(panel, "LARGEST", most)
    n = 24 if figure == 2 else 6  # of which each picture is larger than may be
    key = "n_latent" if figure == 2 else "n_train"
    rows = pd.DataFrame({"dataset": [f"d{k % 40}.npy" for k in range(n)], key: [k + 2 for k in range(n)]})
    rows = rows.assign(protocol="author", method="aevb", seed=0, status="finished", message="", published=False)
    measure = {2: "lower_bound", 3: "marginal_log_likelihood"}[figure]
    curves = rows.assign(split="test", samples=1000, **{measure: -100.0}, standard_error=1.0)
    plot = {2: plot_figure2, 3: plot_figure3}[figure]
    paths = plot(curves, read_published(figure), rows, {}, tmp_path / "many")
    with Image.open(paths[0]) as picture:
        assert 0.9 * most < picture.width * picture.height <= 1.01 * most
    tally("panels drawn", n)


def test_a_strangers_method_never_has_the_colour_of_one_that_is_known():
    assert not {*OURS.colours.values()} & {*OTHERS}
