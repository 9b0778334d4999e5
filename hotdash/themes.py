"""The themes of hotdash, in addition to those of Textual, and the choice between them at the start."""

from __future__ import annotations

import os
from collections.abc import Collection

from textual.theme import Theme

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused

TERMINAL_THEME = "ansi-dark"
"""The theme that uses the terminal's own 16 colours."""
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
)


def no_color() -> bool:
    """Return whether the user wants no colours: NO_COLOR is set and not empty, see https://no-color.org."""
    return bool(os.environ.get("NO_COLOR"))


def starting_theme(chosen: str | None, remembered: str | None, color_system: str | None) -> str:
    """Return the name of the theme at the start.

    `chosen` is the theme of the settings file, which applies in any terminal. `remembered` is the theme that was used
    last. If the terminal has few colours, or NO_COLOR is set, the terminal's own colours are used instead of this
    theme.
    """
    if chosen is not None:
        return chosen
    if color_system in FEW_COLOURS or no_color():
        return TERMINAL_THEME
    return remembered or THEMES[0].name


def check_theme(chosen: str | None, themes: Collection[str]) -> None:
    """Raise Refused (USAGE) if the theme of the settings file does not exist."""
    if chosen is not None and chosen not in themes:
        names = ", ".join(sorted(themes))
        raise Refused(f"There is no theme {clip(chosen, MAX_SHOWN_NAME)!r}; the themes are {names}.", ExitCode.USAGE)
