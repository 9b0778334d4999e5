"""Tags of mail that the runtime sends to itself."""

from __future__ import annotations

from typing import Final


class MailTag:
    """Marks what a piece of mail is. No value that user code sends equals a tag."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


INIT: Final = MailTag("init")
"""Run `init` with these arguments."""
STOP: Final = MailTag("stop")
"""Terminate with this reason."""
