"""The math font that the page embeds: `python -m harness.report.fonts.subset FILE` makes it from STIX Two Math.

The whole font comes in the npm package @fontsource/stix-two-math, under the SIL Open Font License (OFL.txt).
"""

import sys
from pathlib import Path

from fontTools import subset

from harness.report.fonts import MATH

SYMBOLS = "ℎℒℝ𝒩𝔼𝟎𝟏ℓ−±×÷·⊙⋅∈∼≈≡≤≥≠≪≫∝∑∏∫∂∇√∞∥∣|‖…⋯←→↔↦⟨⟩′ˆ¯˜^~\u0302\u0304\u0303∖∘⊤\u00a0\u2009"
# First and last of: Latin, Greek, bold and italic Latin, italic Greek.
RANGES = ((0x20, 0x7E), (0x391, 0x3C9), (0x3D5, 0x3D5), (0x1D400, 0x1D467), (0x1D6E2, 0x1D71B))


def characters() -> set[int]:
    """Code points that formulas may use."""
    return {*map(ord, SYMBOLS)} | {code for first, last in RANGES for code in range(first, last + 1)}


def write(source: Path) -> None:
    """Write the subset: these characters and what they stretch to, with the table that lays formulas out."""
    options = subset.Options(flavor="woff", layout_features=["ssty", "kern"], hinting=False)
    font = subset.load_font(str(source), options)
    maker = subset.Subsetter(options)
    maker.populate(unicodes=characters())
    maker.subset(font)
    subset.save_font(font, str(MATH), options)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
