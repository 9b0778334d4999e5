"""The themes of hotdash, in addition to those of Textual."""

from __future__ import annotations

from textual.theme import Theme

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
