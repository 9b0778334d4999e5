"""Finds what holds a version, by a walk over the whole heap in a forked child.

With millions of objects the walk takes seconds, and no object may change during the walk. So the child walks its own
copy of the memory. It writes its findings to the parent as a list of pairs.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import time
from asyncio import Handle, Task, TimerHandle
from types import AsyncGeneratorType, CoroutineType, FrameType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.upgrade.live_processes import CallbackVersion
from node_runtime.code.batch import Batch
from node_runtime.code.forked_child import fork_child, read_all, write_all
from node_runtime.code.version import ManagedModule, Version

from .reachability import ReferenceGraph

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

SEARCH_TIME_LIMIT_SECONDS: Final = 20.0
"""Time limit of the child's search."""
MAX_SEARCH_DEPTH: Final = 12
"""Largest number of references between a held object and a referrer that has a name."""
MAX_SEARCH_WIDTH: Final = 64
"""Largest number of referrers that are followed at each depth."""

UNNAMED_HOLDER: Final = "something without a name"

_RECORDS: Final = (Batch, Version, ManagedModule, ReferenceGraph)
_WITH_FRAME: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)


async def find_holders(version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> list[tuple[str, str]]:
    """Return pairs of a holder outside of the version and what it holds: ("color_fsm <12>", "an instance of a.Color").

    `titles` maps the identities of a process object and of its task to the title of the process.
    The result is empty if nothing holds the version.
    """
    return await asyncio.to_thread(_search_in_child, version, ignored, titles)


def _search_in_child(version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> list[tuple[str, str]]:
    def search(writer: int) -> None:
        gc.disable()
        signal.setitimer(signal.ITIMER_REAL, SEARCH_TIME_LIMIT_SECONDS)
        write_all(writer, json.dumps(HolderSearch(version, ignored, titles).pairs()).encode())

    child = fork_child(search)
    try:
        answer = read_all(child.reader, time.monotonic() + SEARCH_TIME_LIMIT_SECONDS)
    finally:
        child.kill()
        child.wait()
    pairs: list[list[str]] = json.loads(answer) if answer else [[UNNAMED_HOLDER, "it"]]
    return [(holder, held) for holder, held in pairs]


class HolderSearch:
    """A search from held objects to their referrers, up to one with a name: a process, a global, a class, a timer."""

    def __init__(self, version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> None:
        gc.unfreeze()  # the collector finds no referrers among frozen objects
        self._unvisited = {id(thing) for thing in gc.get_objects()}
        self._titles = titles
        self._graph = ReferenceGraph([version], ignored)
        holding = [root for root in self._graph.roots() if self._graph.reached([root])]
        self._level: list[tuple[Any, str]] = [(root, _described(root)) for root in holding]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of a holder and what it holds, in words."""
        found: dict[tuple[str, str], None] = {}
        unnamed = self._level[:1]
        for _ in range(MAX_SEARCH_DEPTH):
            found.update(dict.fromkeys(self._step()))
        if unnamed and not found:
            found[UNNAMED_HOLDER, unnamed[0][1]] = None
        return list(found)

    def _step(self) -> Iterator[tuple[str, str]]:
        level, self._level = self._level[:MAX_SEARCH_WIDTH], []
        words = {id(thing): what for thing, what in level}
        for referrer in gc.get_referrers(*(thing for thing, _ in level)) if level else ():
            if id(referrer) not in self._unvisited or self._graph.owns(referrer):
                continue
            self._unvisited.discard(id(referrer))  # each referrer is examined once
            if isinstance(referrer, _RECORDS):
                continue
            held = next((thing for thing in gc.get_referents(referrer) if id(thing) in words), None)
            if held is None:
                continue
            owner = self._owner(referrer, held)
            if owner is None:
                first = self._graph.owns(held)
                self._level.append(
                    (referrer, self._most_specific(referrer, words[id(held)]) if first else words[id(held)])
                )
            else:
                yield owner, words[id(held)]

    def _owner(self, referrer: Any, held: object) -> str | None:
        """Return the name of a referrer; None if the search has to continue with the objects that refer to it."""
        title = self._titles.get(id(referrer))
        if title is not None:
            return title
        if isinstance(referrer, dict) and "__spec__" in referrer:
            name = next((name for name, value in referrer.items() if value is held), "?")
            return f"{referrer.get('__name__')}.{name}"
        if isinstance(referrer, Task):
            return f"task {referrer.get_name()}"
        if isinstance(referrer, Handle):
            return f"a {'timer' if isinstance(referrer, TimerHandle) else 'callback'} of the event loop"
        if isinstance(referrer, FrameType):
            return f"a frame of {referrer.f_code.co_qualname}, line {referrer.f_lineno},"
        return _described(referrer) if isinstance(referrer, (type, FunctionType)) else None

    def _most_specific(self, referrer: Any, what: str) -> str:
        """Describe a method, a suspended call or a held class's instance; else return `what`."""
        if isinstance(referrer, (MethodType, *_WITH_FRAME)) or self._graph.owns(type(referrer)):
            return _described(referrer)
        return what


def _class_name(cls: type | CallbackVersion) -> str:
    """Return the full name of a class, or of a class that processes refer to."""
    module, name = (cls.__module__, cls.__qualname__) if isinstance(cls, type) else (cls.module, cls.qualname)
    return f"{module}.{name}"


def _described(thing: Any) -> str:
    """Describe an object in a few words, without running code of its class."""
    if isinstance(thing, FunctionType):
        return f"{thing.__module__}.{thing.__qualname__}"
    if isinstance(thing, (type, CallbackVersion)):
        return f"class {_class_name(thing)}"
    if isinstance(thing, MethodType):
        return f"the bound method {_described(thing.__func__)}"
    if isinstance(thing, _WITH_FRAME):
        return f"the suspended {thing.__qualname__}"
    if isinstance(thing, dict) and "__spec__" in thing:
        return f"the namespace of {thing.get('__name__')}"
    return f"an instance of {type(thing).__module__}.{type(thing).__qualname__}"
