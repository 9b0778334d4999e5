"""Who holds a version: a walk over the whole heap, in a forked child, which answers with sentences.

Such a walk takes seconds beside millions of objects, and nobody may change them meanwhile. A child has its own copy:
it closes all descriptors but one pipe, runs nothing of anybody's (no finalizers, no exit handlers, no signal
handlers), writes what it found, and is gone.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import time
import warnings
from asyncio import Handle, Task, TimerHandle
from types import AsyncGeneratorType, CoroutineType, FrameType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.batch import Batch
from node_runtime.code.version import Hot, Version

from .reachability import Graph

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

SECONDS: Final = 20.0
"""How long the child may look."""
STEPS: Final = 12
"""How far the way from a held object up to something with a name may be."""
WIDTH: Final = 64
"""How many ways are followed at once."""

ANYBODY: Final = "something without a name"

_RECORDS: Final = (Batch, Version, Hot, Graph)
_FRAMED: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)


async def find_holders(version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> list[tuple[str, str]]:
    """Who outside of the version reaches what of it: ("color_fsm <12>", "an instance of fil.color_fsm.Color").

    `titles` says how processes are called, by the identity of the object. Empty if nothing holds the version.
    """
    return await asyncio.to_thread(_ask_child, version, ignored, titles)


def _ask_child(version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> list[tuple[str, str]]:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: a child of a threaded program may find locks taken
        pid = os.fork()
    if pid == 0:
        _be_the_child(writer, version, ignored, titles)
    os.close(writer)
    try:
        answer = _read(reader, time.monotonic() + SECONDS)
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    pairs: list[list[str]] = json.loads(answer) if answer else [[ANYBODY, "it"]]
    return [(who, what) for who, what in pairs]


def _read(reader: int, until: float) -> bytes:
    parts: list[bytes] = []
    while (left := until - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
        part = os.read(reader, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _be_the_child(writer: int, version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> None:
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        os.closerange(0, writer)
        os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
        answer = json.dumps(Search(version, ignored, titles).pairs()).encode()
        while answer:
            answer = answer[os.write(writer, answer) :]
    finally:
        os._exit(0)


class Search:
    """Goes from the objects that are held up to what has a name: a process, a module's name, a class, a timer."""

    def __init__(self, version: Version, ignored: Counter[int], titles: Mapping[int, str]) -> None:
        gc.unfreeze()  # what is frozen has no referrers for the collector
        self._before = {id(thing) for thing in gc.get_objects()}
        self._titles = titles
        self._graph = Graph([version], ignored)
        holding = [root for root in self._graph.roots() if self._graph.reached([root])]
        self._level: list[tuple[Any, str]] = [(root, _described(root)) for root in holding]

    def pairs(self) -> list[tuple[str, str]]:
        """Who holds what, as words."""
        found: dict[tuple[str, str], None] = {}
        unnamed = self._level[:1]
        for _ in range(STEPS):
            found.update(dict.fromkeys(self._step()))
        if unnamed and not found:
            found[ANYBODY, unnamed[0][1]] = None
        return list(found)

    def _step(self) -> Iterator[tuple[str, str]]:
        level, self._level = self._level[:WIDTH], []
        words = {id(thing): what for thing, what in level}
        for referrer in gc.get_referrers(*(thing for thing, _ in level)) if level else ():
            if id(referrer) not in self._before or self._graph.owns(referrer):
                continue
            self._before.discard(id(referrer))  # each is looked at once
            if isinstance(referrer, _RECORDS):
                continue
            held = next((thing for thing in gc.get_referents(referrer) if id(thing) in words), None)
            if held is None:
                continue
            owner = self._owner(referrer, held)
            if owner is None:
                first = self._graph.owns(held)
                self._level.append((referrer, self._refined(referrer, words[id(held)]) if first else words[id(held)]))
            else:
                yield owner, words[id(held)]

    def _owner(self, referrer: Any, held: object) -> str | None:
        """What is to be named of a referrer; None if who refers to it has to be asked in turn."""
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

    def _refined(self, referrer: Any, what: str) -> str:
        """An instance says more than its class, and a coroutine more than its function."""
        if isinstance(referrer, (MethodType, *_FRAMED)) or self._graph.owns(type(referrer)):
            return _described(referrer)
        return what


def _described(thing: Any) -> str:
    """A few words for an object, found without running anybody's code."""
    if isinstance(thing, FunctionType):
        return f"{thing.__module__}.{thing.__qualname__}"
    if isinstance(thing, type):
        return f"class {thing.__module__}.{thing.__qualname__}"
    if isinstance(thing, MethodType):
        return f"the bound method {_described(thing.__func__)}"
    if isinstance(thing, _FRAMED):
        return f"the suspended {thing.__qualname__}"
    if isinstance(thing, dict) and "__spec__" in thing:
        return f"the namespace of {thing.get('__name__')}"
    return f"an instance of {type(thing).__module__}.{type(thing).__qualname__}"
