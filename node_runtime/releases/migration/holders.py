"""Tells which classes are holders: a holder is a class whose objects may hold objects of replaced classes.

Objects of all other classes are not searched: they hold only numbers and texts, or refer to everything in the node.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import module_of, mro_of
from node_runtime.code import HotModule
from node_runtime.code.classes.object_arrays import is_array

_HAS_REFERENCES: Final = 1 << 14
"""Py_TPFLAGS_HAVE_GC: the flag of the classes whose objects the cycle collector follows."""
_CONTAINERS: Final = (tuple, list, dict, set, frozenset, deque)
_NOT_FOLLOWED: Final = frozenset(map(id, (
    ModuleType, HotModule, FrameType, CodeType, TracebackType, asyncio.AbstractEventLoop, threading.Thread,
)))  # fmt: skip
"""Identities of classes, because a class with its own metaclass may run code when it is hashed or compared."""
_CLOSED_LIBRARY: Final = frozenset({
    "_frozen_importlib", "_frozen_importlib_external", "fractions", "importlib", "ipaddress", "logging",
    "multiprocessing", "pathlib", "uuid",
})  # fmt: skip
"""Packages of the standard library whose objects are plain values, or refer to the whole node."""
_OWN_PACKAGE: Final = __name__.partition(".")[0]
RUNTIME_RECORDS: Final = frozenset({"node_runtime.processes.messages", "node_runtime.behaviours.statem_events"})
"""The modules of the runtime whose objects are records that hold values for a process: messages and events."""


def is_holder(cls: type[Any]) -> bool:
    """Return whether the objects of a class may hold objects of replaced classes."""
    if is_array(cls):
        return True
    if not cls.__flags__ & _HAS_REFERENCES or any(id(base) in _NOT_FOLLOWED for base in mro_of(cls)):
        return False
    if issubclass(cls, _CONTAINERS):
        return True
    module = module_of(cls) or ""
    package = module.partition(".")[0]
    return module in RUNTIME_RECORDS if package == _OWN_PACKAGE else package not in _CLOSED_LIBRARY
