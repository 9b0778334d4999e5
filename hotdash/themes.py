"""The themes of hotdash, in addition to those of Textual, and the choice between them at the start."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused

TERMINAL_THEME = "ansi-dark"
LIGHT_TERMINAL_THEME = "ansi-light"
"""The themes that use the terminal's own 16 colours."""
FEW_COLOURS = (None, "standard")
"""The colour systems, as rich names them, in which the colours of the other themes can't be told apart."""

THEMES = (
    Theme(
        name="hotdash",
        primary="#4fb6c9",
        secondary="#7aa2c8",
        accent="#4fb6c9",
        success="#6cc08b",
        warning="#e3ad55",
        error="#e0607a",
        foreground="#d5dde3",
        background="#0f1519",
        surface="#151d22",
        panel="#1e2930",
        dark=True,
        variables={"scrollbar": "#3a4a54", "scrollbar-background": "#151d22", "scrollbar-corner-color": "#151d22"},
    ),
    Theme(
        name="hotdash-light",
        primary="#0f7d92",
        secondary="#33658f",
        accent="#0f7d92",
        success="#2f8f54",
        warning="#a86a00",
        error="#c2334f",
        foreground="#1d2a31",
        background="#fbfcfc",
        surface="#f0f4f5",
        panel="#e2e9ec",
        dark=False,
        variables={"scrollbar": "#b9c8cf", "scrollbar-background": "#f0f4f5", "scrollbar-corner-color": "#f0f4f5"},
    ),
    # In Textual's theme of this name, names are blue: many terminals show blue that is hard to read on black.
    replace(BUILTIN_THEMES[TERMINAL_THEME], primary="ansi_cyan"),
)


def no_color() -> bool:
    """Return whether the user wants no colours: NO_COLOR is set and not empty, see https://no-color.org."""
    return bool(os.environ.get("NO_COLOR"))


def starting_theme(chosen: str | None, remembered: str | None, color_system: str | None) -> str:
    """Return the name of the theme at the start.

    `chosen` is the theme of the settings file, which applies in any terminal. `remembered` is the theme that was used
    last. If the terminal has few colours, or NO_COLOR is set, a theme with the terminal's own colours is used: the
    remembered one if it is such a theme, or else the one for a dark background, unless COLORFGBG names a light one.
    """
    if chosen is not None:
        return chosen
    if color_system in FEW_COLOURS or no_color():
        if remembered in (TERMINAL_THEME, LIGHT_TERMINAL_THEME):
            return remembered
        return LIGHT_TERMINAL_THEME if _has_light_background() else TERMINAL_THEME
    return remembered or THEMES[0].name


def _has_light_background() -> bool:
    """Return whether COLORFGBG, which some terminals set, says that the background is white or light grey."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def check_theme(chosen: str | None, themes: Collection[str]) -> None:
    """Raise Refused (USAGE) if the theme of the settings file does not exist."""
    if chosen is not None and chosen not in themes:
        names = ", ".join(sorted(themes))
        raise Refused(f"There is no theme {clip(chosen, MAX_SHOWN_NAME)!r}; the themes are {names}.", ExitCode.USAGE)
