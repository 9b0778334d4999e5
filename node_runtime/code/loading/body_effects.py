"""Finds effects of bodies on the whole OS process: on the working directory, `sys.path`, and modules of libraries.

Python has one of each for all versions, so a revert can't undo such an effect.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

_NO_UNDO: Final = "a revert does not undo this"
_CODE: Final = (FunctionType, BuiltinFunctionType, type, staticmethod, classmethod, property)


class BodyEffects:
    """Observes bodies while they run; `around` is an `AroundBody`.

    Modules are compared only before the first body and after the last one, because a node has many.
    """

    def __init__(self) -> None:
        self._running: list[str] = []
        self._directory = _directory()
        self._path = list(sys.path)
        self._found: list[str] = []
        self._executed: set[str] = set()
        self._library_code = _library_code()

    @contextmanager
    def around(self, module: str) -> Iterator[None]:
        """Attribute the effects inside the block to `module`, except those of bodies that it imports."""
        self._compare()
        self._running.append(module)
        self._executed.add(module)
        try:
            yield
        finally:
            self._compare()
            self._running.pop()

    def warnings(self) -> list[str]:
        """Return a sentence for each effect."""
        return [*self._found, *self._replaced()]

    def _compare(self) -> None:
        directory, path = _directory(), list(sys.path)
        before, self._directory = self._directory, directory
        path_before, self._path = self._path, path
        if not self._running:
            return
        body = f"The body of {self._running[-1]}"
        if directory != before:
            self._found.append(f"{body} changes the working directory to {directory}; {_NO_UNDO}.")
        if path != path_before:
            changed = [*(f"adds {one}" for one in path if one not in path_before)]
            changed += [f"removes {one}" for one in path_before if one not in path]
            what = ", ".join(changed) or "changes the order"
            self._found.append(f"{body} changes sys.path ({what}); {_NO_UNDO}.")

    def _replaced(self) -> Iterator[str]:
        """Report functions and classes of libraries that have been replaced (monkey patches)."""
        now = _library_code()
        for owner, before in self._library_code.items():
            for name, value in before.items():
                new = now.get(owner, {}).get(name, value)
                if new is not value:
                    yield f"{self._maker(new)} replaces {owner}.{name}; {_NO_UNDO}."

    def _maker(self, value: Any) -> str:
        module = getattr(value, "__module__", None)
        return f"The body of {module}" if module in self._executed else "A library that a body imports"


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _library_code() -> dict[str, dict[str, Any]]:
    """Return the functions and classes of each loaded library, and the functions of these classes."""
    found: dict[str, dict[str, Any]] = {}
    for name, module in sys.modules.copy().items():
        if type(module) is not ModuleType:
            continue  # the code server manages it, or it replaces itself
        found[name] = _code_in(vars(module))
        for cls in found[name].values():
            if isinstance(cls, type) and cls.__module__ == name:
                found[f"{name}.{cls.__qualname__}"] = _code_in(vars(cls))
    return found


def _code_in(namespace: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in list(namespace.items()) if isinstance(value, _CODE)}
