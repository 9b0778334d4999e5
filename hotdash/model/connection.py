"""The state of the connection to the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .styled_text import Tone
from .units import age

STALE_SECONDS = 3.0
"""Seconds of silence after which a snapshot is stale. Vitals arrive once a second."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that has been in `state` since the Unix time `since`.

    `sentence` says why the connection was lost. `retry_at` is the time of the next attempt to connect.
    """

    state: Literal["connecting", "live", "lost"] = "connecting"
    since: float = 0.0
    sentence: str = ""
    retry_at: float | None = None
    refused: bool = False
    """Whether the node has refused the cookie."""

    def fresh(self, last_heard: float, now: float) -> bool:
        """Return whether the displayed data is up to date."""
        return self.state == "live" and now - last_heard < STALE_SECONDS

    def badge(self, last_heard: float, now: float, blocked: str = "") -> tuple[str, Tone]:
        """Return the connection's state in a few words. `last_heard` is the time of the node's last message, or 0.

        `blocked` is not empty if the node reports that its event loop is blocked.
        """
        if self.state == "connecting":
            return "◌ connecting", "warn"
        if self.state == "lost" and self.refused:
            return "✖ refused", "bad"
        if self.state == "lost":
            return f"○ lost {age(now - self.since)}", "bad"
        if self.fresh(last_heard, now):
            return ("◐ blocked", "bad") if blocked else ("● live", "ok")
        return f"◐ stale {age(now - last_heard)}", "warn"
