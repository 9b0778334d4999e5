"""The three endings of an install: it succeeded, it changed nothing, or it failed and was undone."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import ProcessResult


class Installed(msgspec.Struct, frozen=True):
    """A successful install.

    `pause` is the time in seconds for which processes were suspended, or new code stopped the event loop. `touched` is
    the number of affected processes; `results` describes some of them.
    """

    pause: float
    results: tuple[ProcessResult, ...]
    touched: int


class Aborted(Exception):
    """The install ended before it changed anything on the node. The message is the reason."""


class PutBack(Exception):
    """The install failed and was undone. `incomplete` names what could not be undone; None if everything was undone."""

    def __init__(
        self, sentence: str, pause: float, results: tuple[ProcessResult, ...], touched: int, incomplete: str | None
    ) -> None:
        super().__init__(sentence)
        self.pause = pause
        self.results = results
        self.touched = touched
        self.incomplete = incomplete
