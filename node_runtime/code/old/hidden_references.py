"""References that the garbage collector can't see: those of C code, such as the functions given to `sqlite3`.

An object has a reference count, and the collector shows the objects that refer to it. If the count is greater than the
references of these objects, C code has the other references, or a function that runs now.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from types import BuiltinMethodType, FrameType, FunctionType, MethodType
from typing import Any, Final

from node_runtime.code.classes.structs import is_struct
from node_runtime.protocol.messages import OldCodeHolder

C_CODE: Final = "C code, such as sqlite3 or atexit,"
"""The name of a holder that only its hidden references show."""
MAX_NAMED: Final = 3
"""The text about C code names at most this many objects."""

_CALLABLES: Final = (FunctionType, MethodType, BuiltinMethodType, functools.partial, functools._lru_cache_wrapper)
_FLAGS: Final = vars(type)["__flags__"].__get__
_COLLECTED: Final = 1 << 14
"""The flag of classes whose instances the garbage collector can see (`Py_TPFLAGS_HAVE_GC`)."""


def running_code() -> frozenset[int]:
    """Return the `id`s of the code objects that run in any thread. A function that runs has a hidden reference."""
    found = set()
    frames: dict[int, FrameType | None] = {**sys._current_frames()}
    frames[threading.get_ident()] = sys._getframe(1)  # a frame that refers to itself would be a cycle, which stays
    while frames:
        _, frame = frames.popitem()
        while frame is not None:
            found.add(id(frame.f_code))
            frame = frame.f_back
    return frozenset(found)


class HiddenReferences:
    """Tells which objects have hidden references. Use it only in a forked copy, where no other thread runs.

    `running` are the `id`s of the code objects that ran at the fork. The variables of this thread's functions hide
    references, too, so their values never count.
    """

    def __init__(self, running: frozenset[int]) -> None:
        self._running = running
        self._variables: set[int] = set()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            self._variables.update(map(id, frame.f_locals.values()))
            frame = frame.f_back

    def referrers(self, things: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the objects that refer to one of `things`, and those of `things` that have hidden references.

        Nothing but `things` and objects that the collector sees may refer to them during the call.
        """
        if not things:
            return [], []
        (spare,) = map(sys.getrefcount, [object()])
        counts = [count - spare for count in map(sys.getrefcount, things)]  # without the reference of the list
        arguments = tuple(things)  # from Python 3.13 on, `get_referrers` finds its own arguments
        found = [one for one in gc.get_referrers(*arguments) if one is not things and one is not arguments]
        seen = Counter(id(one) for referrer in found for one in gc.get_referents(referrer))
        pairs = zip(things, counts, strict=True)
        return found, [thing for thing, count in pairs if count > seen[id(thing)] and not self._is_in_use(thing)]

    def _is_in_use(self, thing: Any) -> bool:
        function = thing.__func__ if type(thing) is MethodType else thing
        runs = type(function) is FunctionType and id(function.__code__) in self._running
        return runs or id(thing) in self._variables


class HiddenHolders:
    """What C code holds of the old versions, by module: functions; callable objects and classes; other objects."""

    def __init__(self) -> None:
        self._found: defaultdict[str, tuple[dict[str, None], ...]] = defaultdict(lambda: ({}, {}, {}))

    def add(self, thing: Any, parts: Iterable[tuple[str, str]]) -> None:
        """Note that `thing` has hidden references. `parts` are the modules that it holds, each with a text."""
        rank = 0 if type(thing) in _CALLABLES else 1 if _is_called(thing) else 2
        for module, text in parts:
            self._found[module][rank][text] = None

    def holder(self, module: str, *, is_only: bool, surely: bool) -> OldCodeHolder | None:
        """Return C code as a holder of the module's old version; None if it holds nothing.

        Functions always count. Callable objects and classes count if C code is the only holder. Other objects count
        only if something surely holds the version, because libraries may have hidden references for a short time.
        """
        functions, callables, others = self._found.get(module, ({}, {}, {}))
        texts = [*functions, *(callables if is_only else ())]
        if not texts and is_only and surely:
            texts = [*others]
        if not texts:
            return None
        more = f" and {len(texts) - MAX_NAMED} more" if len(texts) > MAX_NAMED else ""
        return OldCodeHolder(kind="object", name=C_CODE, does=f"holds {', '.join(texts[:MAX_NAMED])}{more}")


def _is_called(thing: Any) -> bool:
    """Return whether `thing` is callable, and not a class that has instances which the collector doesn't see."""
    if issubclass(type(thing), type):
        return bool(_FLAGS(thing) & _COLLECTED) and not is_struct(thing)
    return callable(thing)  # looks only at the type
