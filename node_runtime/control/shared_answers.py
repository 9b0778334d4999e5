"""Answers that are made once for all clients that ask the same question at about the same time.

An answer is never older than its question: a client that asks while an answer is being made gets the next answer. After
an answer for viewers there is a pause, so that viewers get answers at a bounded rate, however many of them ask. The
more of the node's time an answer takes, the longer the pause is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from node_runtime.protocol.messages import ErrorReply

MIN_PAUSE_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 2.0
PAUSE_FACTOR: Final = 50
"""A pause is this many times as long as the answer took, so that answers take at most 2 % of the time.

The share is greater for an answer that takes so long that MAX_PAUSE_SECONDS limits the pause. A share of 5 % was too
much: the slices of a snapshot on the event loop then determined the 99th percentile of the application's response
times.
"""


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request: its `result` and the same result `packed`, or its `failure`.

    `seconds` is the processor time that making the answer took. `charge()` takes this time from the budget of the
    client that asked first. `charge()` is called after all clients got the answer: a finished answer is sent to the
    client even if the client's budget does not cover it.
    """

    packed: bytes | None
    failure: ErrorReply | None
    result: Any
    seconds: float
    charge: Callable[[], None] = lambda: None


AnswerCallback: TypeAlias = Callable[[Answer], None]
MakeAnswer: TypeAlias = Callable[[AnswerCallback], None]
"""A function that begins to make an answer, and passes the finished answer to the callback that is its argument."""


@dataclass(slots=True)
class _Question:
    """The clients that wait for the next answer. `busy` is true while an answer is being made, and during a pause."""

    waiting: list[tuple[MakeAnswer, AnswerCallback]] = field(default_factory=list)
    busy: bool = False


class SharedAnswers:
    """The questions whose answers clients wait for. `later(seconds, task)` is a method of `ControlThread`.

    Only the control thread may use this object.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._later = later
        self._questions: dict[Hashable, _Question] = {}

    def ask(self, question: Hashable, make: MakeAnswer, done: AnswerCallback, *, paused: bool) -> None:
        """Call `done` with an answer to `question`. The answer is begun after this call, never before.

        Of the clients that share an answer, only the first client's `make` is called. With `paused`, each answer to
        this question is followed by a pause.
        """
        asked = self._questions.setdefault(question, _Question())
        asked.waiting.append((make, done))
        if not asked.busy:
            self._begin(question, asked, paused)

    def _begin(self, question: Hashable, asked: _Question, paused: bool) -> None:
        if not asked.waiting:  # nobody has asked during the pause
            del self._questions[question]
            return
        waiting, asked.waiting = asked.waiting, []
        asked.busy = True
        began = time.monotonic()

        def ended(answer: Answer) -> None:
            pause = _pause(answer.seconds, time.monotonic() - began) if paused else 0.0
            if pause:
                self._later(pause, lambda: self._begin(question, asked, paused))
            for _, done in waiting:
                done(answer)
            answer.charge()
            if not pause:
                self._begin(question, asked, paused)

        waiting[0][0](ended)


def _pause(seconds: float, elapsed: float) -> float:
    """Return the pause after an answer that took `seconds` of processor time, and `elapsed` seconds in all."""
    return min(max(seconds * PAUSE_FACTOR, elapsed, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
