"""What user code holds in place of a process: a number that is never used twice in a runtime's life."""

from __future__ import annotations

from typing import TypeAlias


class Pid(int):
    """The identity of a process. Hash and equality are the number's; `str` is `<12>`. OTP: `pid()`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{int(self)}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


Target: TypeAlias = int | str
"""Where a message goes: a pid, or the name that a process is registered under."""

ROOT = Pid(0)
"""Who asks when no process does: the program around the runtime. It is the parent of what is started from there."""


class Ref:
    """Names one monitor. Equal only to itself. OTP: the reference that erlang:monitor/2 returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ref {id(self):x}>"
