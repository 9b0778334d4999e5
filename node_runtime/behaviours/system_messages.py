"""What a piece of mail of the runtime's own is."""

from __future__ import annotations

from typing import Final


class Tag:
    """Says what a piece of mail is. It can't be mistaken for anything that user code sends."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


INIT: Final = Tag("init")
"""Mail: run `init` with these arguments."""
STOP: Final = Tag("stop")
"""Mail: stop in order, with this reason."""
