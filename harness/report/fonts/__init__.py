"""Fonts that the page embeds."""

from pathlib import Path

MATH = Path(__file__).with_name("stix-two-math.woff")  # a part of STIX Two Math, made by subset.py
