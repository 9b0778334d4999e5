"""Finds live values of classes that stay loaded, although a name in a changed module then means another class.

For example, two modules that stay loaded each define a class `Counter`, and an upgrade makes a third module import the
other `Counter`. The live counters are still of the first class, so `isinstance(value, Counter)` in the new code is
false for them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import FrameType, FunctionType
from typing import Any, Final, TypeGuard

from node_runtime.behaviours.show.raw_reads import module_of, name_of
from node_runtime.releases.planning.conditions import process_label

from .held_values import HeldValue
from .replaced_code import ReplacedCode
from .report import limited
from .value_path import path_to
from .value_search import FoundValue, ValueSearch

SWITCHED_SECONDS: Final = 5.0
"""Processor time for the search."""


class SwitchedNames:
    """The names that mean another class after the switch. `old` and `new` have the namespaces by module name."""

    def __init__(self, old: Mapping[str, dict[str, Any]], new: Mapping[str, Mapping[str, Any]], code: ReplacedCode):
        self._switched: dict[int, tuple[type[Any], str, type[Any]]] = {}
        self._found: dict[tuple[int, int], tuple[HeldValue, FoundValue]] = {}
        for module, namespace in old.items():
            for name, cls in namespace.items():
                other = new.get(module, {}).get(name)
                if _is_class(cls) and _is_class(other) and _is_switched(cls, other, module, code):
                    self._switched[id(cls)] = cls, f"{module}:{name}", other

    def has_class(self, cls: type[Any]) -> bool:
        """Return whether a name means `cls` before the switch, and another class afterwards."""
        return id(cls) in self._switched

    def has_function(self, function: FunctionType) -> bool:
        """Return False: only instances of classes are sought."""
        return False

    def named_object(self, value: object) -> None:
        """Return None: only instances of classes are sought."""

    def has_frame(self, frame: FrameType | None) -> bool:
        """Return False: only instances of classes are sought."""
        return False

    def search(self, places: Sequence[HeldValue]) -> None:
        """Search the values that processes hold, in `places`, for values of the former classes."""
        if self._switched:
            search = ValueSearch(self, SWITCHED_SECONDS)
            search.run([held.value for held in places])
            for number, found in search.found.items():
                for one in found.values():
                    if one.sort == "instance":
                        self._found[int(places[number].process.pid), id(one.thing)] = places[number], one

    def check_migrated(self, pid: int, state: Any) -> bool:
        """Forget each finding in the old state of process `pid` that is not in `state`, the new state.

        Return whether any finding was forgotten.
        """
        mine = [key for key, (held, _) in self._found.items() if key[0] == pid and held.place == "state"]
        if mine:
            search = ValueSearch(self, SWITCHED_SECONDS)
            search.run([state])
            for key in mine:
                if key[1] not in search.found.get(0, {}):
                    del self._found[key]
        return any(key not in self._found for key in mine)

    def sentences(self) -> list[str]:
        """Return the findings as sentences: one for each class of values and each class of processes."""
        told: dict[tuple[str, int], str] = {}
        for (_, thing), (held, found) in self._found.items():
            told.setdefault((held.process.qualname, thing), self._sentence(held, found))
        return limited(list(told.values()), "kinds of values would fail isinstance checks after the upgrade")

    def _sentence(self, held: HeldValue, found: FoundValue) -> str:
        cls, name, other = self._switched[id(found.thing)]
        path = path_to(found.value, found.trail)
        at = f" at {path}" if path else ""
        return (
            f"{process_label(held.process)} holds a value of {_label(cls)} in its {held.place}{at}. After the "
            f"upgrade, the name {name} means {_label(other)}, and isinstance checks reject the value: let the "
            f"code_change of {held.process.module} make a new one."
        )


def _is_class(value: Any) -> TypeGuard[type]:
    return issubclass(type(value), type)


def _is_switched(cls: type[Any], other: type[Any], module: str, code: ReplacedCode) -> bool:
    home = module_of(cls) or ""
    same = (home, name_of(cls)) == (module_of(other), name_of(other))
    is_own = home != module and home.partition(".")[0] not in sys.stdlib_module_names
    return is_own and cls is not other and not same and not code.has_class(cls)


def _label(cls: type[Any]) -> str:
    return f"{module_of(cls)}:{name_of(cls)}"
