"""Searches a forked copy of the node for the holders of old versions.

With millions of objects, the search takes seconds, and no object must change during the search. So a forked child works
on its own copy of the memory, and writes its findings to the parent. The child first collects all garbage. Versions
that only garbage held are free afterwards, and the child knows how long a collection would stop the node.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from node_runtime.code.forked_child import fork_child, read_all, write_all
from node_runtime.protocol.messages import OldCodeHolder

from .caches import clear_caches, only_library_caches
from .found_holder import one_for_each_name
from .holder_search import UNFOUND_HOLDER, HolderSearch, Suspects
from .thread_variables import ThreadVariables

SEARCH_TIME_LIMIT_SECONDS: Final = 60.0
"""Time limit of the child. It is far greater than SEARCH_SECONDS, since other programs may use the processors."""
SEARCH_SECONDS: Final = 10.0
"""Time limit of the search in the child."""


class HeldFindings(msgspec.Struct):
    """The answer of the child: the holders of old versions, by module. Garbage and caches of libraries don't count.

    `collection` is the duration of a garbage collection, in seconds. `caches` has the names of the library caches that
    kept an old version. `tasks` has the `id`s of the tasks among the holders, by module, because tasks may have equal
    names.
    """

    holders: dict[str, list[OldCodeHolder]]
    collection: float
    caches: list[str] = []
    tasks: dict[str, set[int]] = {}


def find_holders(
    modules: Collection[str], suspects: Callable[[], Suspects], threads: list[ThreadVariables]
) -> HeldFindings:
    """Return the holders of the old versions of `modules`. Blocks the calling thread: call it in a worker thread.

    `suspects()` is called in the child, because its result may change until the fork. If the child fails, the only
    holder of each version is UNFOUND_HOLDER. The search in the child uses `threads`, the variables of other threads. In
    the parent, this list is cleared right after the fork, because it keeps objects in memory.
    """

    def search(writer: int) -> None:
        signal.setitimer(signal.ITIMER_REAL, SEARCH_TIME_LIMIT_SECONDS)
        write_all(writer, msgspec.msgpack.encode(_find(suspects())))

    child = fork_child(search)
    threads.clear()
    try:
        answer = read_all(child.reader, time.monotonic() + SEARCH_TIME_LIMIT_SECONDS)
    finally:
        child.kill()
        child.wait()
    if answer:
        return msgspec.msgpack.decode(answer, type=HeldFindings)
    return HeldFindings({module: [UNFOUND_HOLDER] for module in modules}, 0.0)


def _find(suspects: Suspects) -> HeldFindings:
    seconds = _collect_all()
    gc.disable()
    found: dict[str, list[OldCodeHolder]] = {module: [] for module in suspects.modules}
    caches: set[str] = set()
    tasks: dict[str, set[int]] = {}
    held = set(suspects.still_held()) & set(suspects.modules)
    while held:
        search = HolderSearch(held, suspects)
        found.update({key: one_for_each_name(value) for key, value in search.holders(SEARCH_SECONDS).items()})
        tasks.update(search.tasks)
        del search  # the search refers to the objects that it has visited
        held = {module for module in held if only_library_caches(found[module])}
        more = {one.cache for module in held for one in found[module] if one.cache is not None} - caches
        if not more:
            break
        clear_caches(more)
        caches |= more
        gc.collect()
        free = held - set(suspects.still_held())
        found.update({module: [] for module in free})
        held -= free  # the next search may find holders that the caches have concealed
    for module, holders in found.items():  # caches don't count, even if other holders keep the version
        own = [one for one in holders if not only_library_caches([one])]
        caches.update(one.cache for one in holders if one not in own and one.cache is not None)
        found[module] = own
    return HeldFindings(found, seconds, sorted(caches), tasks)


def _collect_all() -> float:
    """Collect all garbage of this forked child, and return the seconds that this took.

    Finalizers can't affect resources that the child shares with the node, such as files and sockets.
    """
    gc.unfreeze()
    armed = True

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if armed and not event.startswith(("gc.", "object.", "builtins.id", "sys.")):
            raise PermissionError(event)

    sys.addaudithook(refuse)
    began = time.perf_counter()
    gc.collect()
    armed = False
    return time.perf_counter() - began
