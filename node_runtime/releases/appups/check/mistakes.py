"""`Mistake`: what is wrong in an appup, or in code that the appup doesn't fit, with the file and the line."""

from __future__ import annotations

import msgspec


class Mistake(msgspec.Struct, frozen=True):
    """A mistake at a line of a file. `sentence` says what is wrong and what to do, without a full stop.

    `line` is None if the file is missing.
    """

    path: str
    line: int | None
    sentence: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}, line {self.line}"
        end = "" if self.sentence.endswith((".", "?")) else "."
        return f"{place}: {self.sentence}{end}"
