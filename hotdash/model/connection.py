"""How the dashboard stands with its node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .styled_text import Tone
from .units import age

STALE_SECONDS = 3.0
"""Seconds without a word after which a picture is called stale. Vitals come once a second."""


@dataclass(frozen=True, slots=True)
class Connection:
    """`state` since the Unix time `since`; `sentence` says why it was lost, `retry_at` when it is tried again."""

    state: Literal["connecting", "live", "lost"] = "connecting"
    since: float = 0.0
    sentence: str = ""
    retry_at: float | None = None

    def fresh(self, last_heard: float, now: float) -> bool:
        """Whether what is on the screen may be taken for the present."""
        return self.state == "live" and now - last_heard < STALE_SECONDS

    def badge(self, last_heard: float, now: float) -> tuple[str, Tone]:
        """The connection in two words, for the header. `heard` is when the node was last heard; 0 is never."""
        if self.state == "connecting":
            return "◌ connecting", "warn"
        if self.state == "lost":
            return f"○ lost {age(now - self.since)}", "bad"
        if self.fresh(last_heard, now):
            return "● live", "ok"
        return f"◐ stale {age(now - last_heard)}", "warn"
