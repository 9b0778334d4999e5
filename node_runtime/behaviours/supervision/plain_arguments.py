"""Recognizes arguments of a start function that no upgrade has to convert: numbers, texts and pids."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from node_runtime.processes.pid import Pid

_PLAIN: Final = frozenset(map(id, (bool, bytes, float, int, NoneType, Pid, str)))
"""The `id`s of the plain classes. Classes are not compared themselves, since that may run code of a metaclass."""


def are_plain(arguments: tuple[Any, ...] | None) -> bool:
    """Return whether each argument is a number, a text, bytes, a pid or None. True if there are no arguments."""
    return not arguments or _PLAIN.issuperset(map(id, map(type, arguments)))
