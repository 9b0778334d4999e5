"""Messages and states on one line of a log: bounded, without secrets, and without running anybody's code."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.deferred_reply import is_deferred
from node_runtime.processes.process import Item, operands
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import short

from .describe import REDACTED, SECRET, Limits, describe

LONGEST: Final = 500
"""Characters of one value."""


def limits() -> Limits:
    """How much of a value a line has room for."""
    return Limits(depth=5, parts=12, terms=80, size=4000, text=120, seconds=0.005)


def one_line(value: object) -> str:
    """`value` on one line, with what `describe` redacts left out."""
    return cut(short(describe(value, limits())))


def cut(text: str) -> str:
    """At most `LONGEST` characters of it."""
    return clip(text, LONGEST)


def message_line(item: Item, cls: type[Any]) -> str:
    """A piece of `cls`'s mail on one line. A request is written as a call: its parameters' names tell its secrets."""
    what, first, second, _ = item
    if what is None:
        return one_line(first)
    if isinstance(what, str):
        return cut(f"{what}({', '.join(_arguments(getattr(cls, what, None), *operands(item)))})")
    return cut(f"{what} {one_line(first)}") if second is None else cut(f"{what} {one_line((first, second))}")


def _arguments(method: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    names: tuple[str, ...] = ()
    if isinstance(method, FunctionType):
        first = 2 if is_deferred(method) else 1
        names = method.__code__.co_varnames[first : method.__code__.co_argcount]
    named = [*zip(names, args, strict=False), *kwargs.items()]
    unnamed = args[len(names) :]
    return [f"{name}={_argument(name, value)}" for name, value in named] + [one_line(value) for value in unnamed]


def _argument(name: str, value: object) -> str:
    return REDACTED if SECRET.search(name) else one_line(value)
