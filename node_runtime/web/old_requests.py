"""The open requests that run old versions: how messages count them, and how a purge closes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from node_runtime.code.old.running import tasks_ending_with
from node_runtime.protocol.messages import OldCodeHolder
from node_runtime.releases.planning.participants import FindOldCodeHolders, HeldModules

from .listeners import Listener, listeners
from .named_application import NamedApplication
from .open_requests import RequestKind, ServedRequest, served_requests

CLOSE_SECONDS: Final = 1.0
"""The requests that a purge closes have this time to end by themselves; then their tasks are cancelled."""
MAX_MODULES_NAMED: Final = 3
_PLURALS: Final[Mapping[RequestKind, str]] = {
    "websocket": "websockets", "event stream": "event streams", "streaming response": "streaming responses",
    "upload": "uploads", "request": "requests",
}  # fmt: skip


_Drains = Callable[[ServedRequest, Sequence[str]], bool]
"""Returns whether a listener will soon close a request that keeps the old versions of these modules."""


@dataclass(slots=True)
class _RequestGroup:
    """The requests of one listener that keep old versions. With `drains`, the listener closes these websockets soon."""

    listener: Listener
    drains: bool
    requests: list[tuple[ServedRequest, Sequence[str]]] = field(default_factory=list)
    """Each request with the modules whose old versions it keeps."""

    @property
    def title(self) -> str:
        """The requests in words, such as "2 websockets of the listener site"."""
        kinds = Counter(served.request.kind for served, _ in self.requests)
        counted = [f"{number} {kind if number == 1 else _PLURALS[kind]}" for kind, number in sorted(kinds.items())]
        what = " and ".join([", ".join(counted[:-1]), counted[-1]] if len(counted) > 1 else counted)
        return f"{what} of the listener {self.listener.name}"


def sentences(holders: list[HeldModules]) -> tuple[list[str], list[HeldModules]]:
    """Return sentences about the open requests among `holders`, and a list of all other holders.

    `holders` are the holders of the versions that an install will replace.
    """
    groups, others = _separated(holders, _will_drain)
    return [_sentence(group) for group in groups], others


def counted(holders: Sequence[OldCodeHolder]) -> list[OldCodeHolder]:
    """Return the holders of an old version, with a single holder for all open requests of a listener."""
    groups, others = _separated([(one, []) for one in holders], _drains)
    return [*map(_holder, groups), *(one for one, _ in others)]


async def close(find_holders: FindOldCodeHolders) -> list[str]:
    """Close the websockets, streams and uploads among the holders of an old version; return what was closed, in words.

    The client of a websocket gets the code 1012, "service restart". Requests of other kinds are left alone.
    """
    if not any(True for _ in served_requests()):
        return []
    waiting, titles = _closed(await find_holders())
    if waiting:
        await asyncio.wait(waiting, timeout=CLOSE_SECONDS)
    return titles


def _closed(holders: Sequence[OldCodeHolder]) -> tuple[set[asyncio.Task[Any]], list[str]]:
    """Begin to close websockets, streams and uploads; return their tasks, and a text for each group of them."""
    tasks, titles = set[asyncio.Task[Any]](), list[str]()
    for group in _separated([(one, []) for one in holders], _drains)[0]:
        group.requests = [one for one in group.requests if one[0].request.kind != "request" and one[0].connection]
        for served, _ in group.requests:
            tasks.add(served.task)
            if served.request.kind == "websocket":
                served.connection.shutdown()
            else:
                served.connection.transport.close()
        if group.requests:
            titles.append(group.title)
    return tasks, titles


# ---------------------------------------------------------------- which holders are requests


def _separated(holders: list[HeldModules], drains: _Drains) -> tuple[list[_RequestGroup], list[HeldModules]]:
    """Return the open requests among `holders`, by listener, and the holders that do not end with a request."""
    known = {served.task.get_name(): served for served in served_requests()}
    groups: dict[tuple[str, bool], _RequestGroup] = {}
    others = []
    for holder, modules in holders:
        served = known.get(holder.task or "")
        if served is None:
            others.append((holder, modules))
        else:
            key = served.listener.name, drains(served, modules)
            groups.setdefault(key, _RequestGroup(served.listener, key[1])).requests.append((served, modules))
    if groups:
        inner = _tasks_of_requests(known.values()) | {
            name for name, _ in groups for name in _lifespans_that_wait(listeners()[name])
        }
        others = [one for one in others if one[0].task not in inner]
    return list(groups.values()), others


def _tasks_of_requests(requests: Iterable[ServedRequest]) -> set[str]:
    """Return the names of the tasks that end with a request, except names that other tasks have, too."""
    tasks = {id(task): task for served in requests for task in tasks_ending_with(served.task)}
    names = {task.get_name() for task in tasks.values()}
    return names - {task.get_name() for task in _all_tasks() if id(task) not in tasks}


def _all_tasks() -> Iterator[asyncio.Task[Any]]:
    loops = {served.get_loop() for served in (one.task for one in served_requests())}
    return chain.from_iterable(map(asyncio.all_tasks, loops))


def _lifespans_that_wait(listener: Listener) -> Iterator[str]:
    """Yield the names of the tasks that wait for the end of the last request of an earlier version."""
    for task, names in tuple(listener.retiring.items()):
        yield task.get_name()
        yield from names


# ---------------------------------------------------------------- what happens to them


def _drains(served: ServedRequest, modules: Sequence[str]) -> bool:
    return served.task in served.listener.draining


def _will_drain(served: ServedRequest, modules: Sequence[str]) -> bool:
    """Return whether the listener will close a websocket after an install that loads `modules`."""
    application = served.listener.application
    loads = isinstance(application, NamedApplication) and application.module in modules
    return loads and served.request.kind == "websocket" and "drain_websockets" in served.listener.options


def _holder(group: _RequestGroup) -> OldCodeHolder:
    number = len(group.requests)
    run, their = ("runs", "its") if number == 1 else ("run", "their")
    kinds = {served.request.kind for served, _ in group.requests}
    if group.drains:
        seconds = group.listener.options.get("drain_websockets", 0.0)
        until = f"until the listener closes {'it' if number == 1 else 'them'}, within {seconds:g} s of the upgrade"
    elif kinds == {"websocket"}:
        until = f"until {their} {'client disconnects' if number == 1 else 'clients disconnect'}"
    else:
        until = "until it ends" if number == 1 else "until they end"
    return OldCodeHolder(kind="requests", name=group.title, does=f"{run} it {until}", number=number)


def _sentence(group: _RequestGroup) -> str:
    one = len(group.requests) == 1
    union = list(dict.fromkeys(module for _, modules in group.requests for module in modules))
    versions = f"the old version{'s' * (len(union) > 1)} of {_some(union)}"
    stays = f"{group.title} {'stays' if one else 'stay'} in {versions}"
    if group.drains:
        return f"{stays}, for at most {group.listener.options.get('drain_websockets', 0.0):g} s."
    purge = " and ".join(f"`hotdash purge NODE {module}`" for module in _covering(group))
    ends, them = ("end" if " and " in purge else "ends"), ("it" if one else "them")
    return f"{stays} until {'it ends' if one else 'they end'}; after the upgrade, {purge} {ends} {them}."


def _some(modules: Sequence[str]) -> str:
    if len(modules) <= MAX_MODULES_NAMED:
        return " and ".join(modules)
    return f"{', '.join(modules[: MAX_MODULES_NAMED - 1])} and {len(modules) - MAX_MODULES_NAMED + 1} other modules"


def _covering(group: _RequestGroup) -> list[str]:
    """Return a few modules of which each request keeps one, the application's module first."""
    left = [modules for _, modules in group.requests]
    found = []
    while left:
        numbers = Counter(module for modules in left for module in modules)
        own = getattr(group.listener.application, "module", None)
        best = max(numbers, key=lambda module: (numbers[module], module == own))
        found.append(best)
        left = [modules for modules in left if best not in modules]
    return found
