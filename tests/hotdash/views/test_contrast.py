"""The contrast of the texts with their backgrounds, in the reviewed styles of the themes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

FRAMES: Final = Path(__file__).with_name("frames")
MIN_CONTRAST: Final = 4.5
"""What WCAG 2.2 demands of small text. It exempts disabled buttons."""
DISABLED: Final = frozenset({"End", "Upload", "Upgrade", "Restart", "Remove", "Kill", "Arm", "Trace"})
STYLE: Final = re.compile(r"(#[0-9a-f]{6}) on (#[0-9a-f]{6})\s+(.*)")


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, as WCAG defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours: 21 for black on white."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["hotdash", "hotdash-light"])
def test_every_text_can_be_read_on_its_background(theme: str) -> None:
    lines = (FRAMES / f"styles-{theme}.txt").read_text().splitlines()
    found = [(match[1], match[2], match[3].strip()) for line in lines if (match := STYLE.search(line))]
    texts = [(fore, back, text) for fore, back, text in found if re.search(r"\w", text) and text not in DISABLED]
    assert len(texts) > 50
    assert [(text, fore, back) for fore, back, text in texts if contrast(fore, back) < MIN_CONTRAST] == []


def test_the_selected_row_has_one_colour_where_there_are_few() -> None:
    lines = (FRAMES / "styles-ansi-dark.txt").read_text().splitlines()
    reverse = [line for line in lines if "reverse" in line and re.search(r"fil_color_fsm|web_sup|fil\.app|idle", line)]
    assert len(reverse) > 2
    assert [line for line in reverse if "reverse default on default" not in line] == []
