"""What is born inside a barrier is held from its first idle moment on: an install's children wait for the others."""

from __future__ import annotations

from contextvars import ContextVar

from .pid import Pid


class Barrier:
    """Who holds what is born, and what has been born so far."""

    __slots__ = ("born", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.born: list[Pid] = []


barrier: ContextVar[Barrier | None] = ContextVar("node_runtime.barrier", default=None)
