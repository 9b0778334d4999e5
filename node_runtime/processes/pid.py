"""Pids and monitor references, which user code uses in place of process objects."""

from __future__ import annotations

from typing import TypeAlias


class Pid(int):
    """The identity of a process: a number that a runtime never uses twice. The text of the pid 12 is `<12>`.

    Hash and equality are those of the number. OTP: `pid()`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{int(self)}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


Target: TypeAlias = int | str
"""The destination of a message: a pid, or a registered name."""

ROOT = Pid(0)
"""The pid <0>. Code outside of processes has this pid as the sender of a signal, and as the parent of a process."""


class Ref:
    """The identity of one monitor, equal only to itself. OTP: the reference that erlang:monitor/2 returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ref {id(self):x}>"
