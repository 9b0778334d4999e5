"""Finds functions outside the load that use names which the new versions lack, or call with too few arguments.

An imported name that vanishes is a blocker. But `module.name` and `Class.method` in a function are looked up only when
the function runs. A call of the function would then raise an AttributeError or a TypeError.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of
from node_runtime.code.imports import FunctionRead, reads_of_functions

from .name_origins import NameOrigin, NameOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from node_runtime.code.module import Namespace
    from node_runtime.code.version import Version

MAX_NAMED: Final = 3
"""A sentence names at most this many names and this many arguments."""
_MISSING: Final = object()
_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class LackingNames:
    """The names that a load takes away, and the functions of other modules that use them."""

    def __init__(self, origins: NameOrigins) -> None:
        self._origins = origins

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each name that functions of a module outside the load can't use any longer."""
        for module, version in outside:
            found: dict[str, None] = {}
            names = self._origins.candidates(version)
            for read in reads_of_functions(version.unit.code, names) if names else ():
                origin = self._origins.of(version, read.name)
                if origin is not None and (clause := self._clause(origin, read)) is not None:
                    found[clause] = None
            for clause in found:
                yield f"{module} {clause}, or let the appup load {module} too."

    def _clause(self, origin: NameOrigin, read: FunctionRead) -> str | None:
        """Return a clause about the use of `origin` that would fail after the load; None if it would succeed."""
        before, after = self._origins.namespaces(origin.module)
        if origin.name not in before or "__getattr__" in after:
            return None
        lacking, old, new = _followed(origin, before, after)
        if lacking is not None:
            return f"uses {lacking} in {read.function}, which the new version no longer has: keep the name"
        required = _new_arguments(old, new) if read.is_called else []
        if not required:
            return None
        names = ", ".join(required[:MAX_NAMED])
        default = "it a default" if len(required) == 1 else "them defaults"
        return f"calls {origin} in {read.function} without {names}, which the new version requires: give {default}"


def _followed(origin: NameOrigin, before: Namespace, after: Namespace) -> tuple[str | None, Any, Any]:
    """Return the dotted name that the new version lacks, or None, and the name's objects in both versions.

    The objects are None if they can't be compared: if the old version lacks an attribute, or an instance may have it.
    """
    old, new = before[origin.name], after.get(origin.name, _MISSING)
    path = f"{origin.module}.{origin.name}"
    for attribute in (None, *origin.attributes):
        if attribute is not None:
            if not issubclass(type(old), type) or not issubclass(type(new), type):
                return None, None, None
            path = f"{path}.{attribute}"
            old, new = _member(old, attribute), _member(new, attribute)
        if old is _MISSING or old is new:
            return None, None, None
        if new is _MISSING:
            return path, None, None
    return None, old, new


def _member(cls: type, name: str) -> Any:
    """Return an attribute of a class; None if only a metaclass has the attribute; `_MISSING` if there is none."""
    for base in mro_of(cls):
        if name in namespace_of(base):
            found: Any = namespace_of(base)[name]
            return found.__func__ if issubclass(type(found), staticmethod | classmethod) else found
    if type(cls) is not type and any(
        name in namespace_of(base) or "__getattr__" in namespace_of(base)
        for base in mro_of(type(cls))
        if base is not type and base is not object
    ):
        return None
    return None if hasattr(type, name) else _MISSING


def _new_arguments(before: Any, after: Any) -> list[str]:
    """Return the arguments that each call of `after` requires, and that calls of `before` can't have given."""
    if type(before) is not type(after) or not isinstance(after, FunctionType | type):
        return []
    try:
        old, new = (_parameters(one) for one in (before, after))
    except Exception:  # a class may compute its signature
        return []
    kinds = {parameter.kind for parameter in old.values()}
    required = [
        parameter
        for parameter in new.values()
        if parameter.default is inspect.Parameter.empty and parameter.kind not in _VARIABLE
    ]
    positional = [one for one in required if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    accepted = [one for one in old.values() if one.kind not in (*_VARIABLE, inspect.Parameter.KEYWORD_ONLY)]
    lacking: list[inspect.Parameter] = []
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        lacking = [one for one in required if one not in positional and one.name not in old]
        if inspect.Parameter.VAR_POSITIONAL not in kinds and len(positional) > len(accepted):
            lacking += [one for one in positional if one.name not in old]
    return [parameter.name for parameter in lacking]


def _parameters(thing: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(thing).parameters
