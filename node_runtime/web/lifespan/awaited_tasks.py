"""Finds the tasks for which a suspended task waits, so that a startup that awaits its own tasks doesn't hang."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from types import AsyncGeneratorType, CellType, CoroutineType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, Final

_WAITING_GROUPS: Final = frozenset({"TaskGroup.__aexit__", "TaskGroup._aexit"})
"""The functions of asyncio and anyio in which a task group waits for its tasks."""
_WAITING_LISTS: Final = frozenset(
    {"_wait", "wait", "wait_for", "TaskGroup.start", "as_completed.<locals>._wait_for_one"}
)
"""The functions of asyncio and anyio that wait for tasks in their local variables."""
_LIBRARIES: Final = ("asyncio.", "anyio.")
_AWAITED: Final = (asyncio.Future, CoroutineType, AsyncGeneratorType)
MAX_OBJECTS: Final = 2_000
"""At most this many objects are visited in the search for a future that a task would set."""


def awaited_tasks(task: asyncio.Task[Any]) -> set[asyncio.Task[Any]]:
    """Return the tasks for which the suspended `task` waits, directly or through other tasks."""
    found: set[asyncio.Task[Any]] = set()
    waiting: list[Any] = [task]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, asyncio.Task):
            found.add(one)
            waiting.append(one.get_coro())
        elif isinstance(one, asyncio.Future):
            waiting += _tasks_behind(one)
        elif isinstance(one, AsyncGeneratorType):
            waiting += [*_tasks_of_frame(one.ag_frame), one.ag_await]
        elif hasattr(one, "cr_await"):
            waiting += [*_tasks_of_frame(one.cr_frame), one.cr_await]
        else:  # an iterator between a coroutine and the object that the coroutine awaits
            waiting += [each for each in gc.get_referents(one) if isinstance(each, _AWAITED)]
    return found - {task}


def _tasks_of_frame(frame: FrameType | None) -> list[Any]:
    """If a function of asyncio or anyio waits for tasks by callbacks, return these tasks; else an empty list."""
    if frame is None or not str(frame.f_globals.get("__name__", "")).startswith(_LIBRARIES):
        return []
    name = frame.f_code.co_qualname
    if name in _WAITING_GROUPS:
        return list(getattr(frame.f_locals.get("self"), "_tasks", ()))
    if name in _WAITING_LISTS:
        return list(_tasks_in(frame.f_locals.values()))
    return []


def _tasks_in(values: Iterable[Any]) -> Iterator[asyncio.Task[Any]]:
    for value in values:
        if isinstance(value, asyncio.Task):
            yield value
        elif isinstance(value, set | frozenset | list | tuple):
            yield from (each for each in value if isinstance(each, asyncio.Task))


def _tasks_behind(future: asyncio.Future[Any]) -> list[Any]:
    """Return the tasks that `asyncio.gather` or `asyncio.shield` has combined into `future`; none for other futures."""
    behind: list[Any] = list(getattr(future, "_children", ()))
    for callback, *_ in getattr(future, "_callbacks", None) or ():
        for cell in getattr(callback, "__closure__", None) or ():
            behind += _tasks_in([_content(cell)])
    return behind


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def last_future(task: asyncio.Task[Any]) -> object | None:
    """Return the future for which `task` waits; None if it waits for none."""
    future: object | None = getattr(task, "_fut_waiter", None)
    return future


def may_set(task: asyncio.Task[Any], future: object) -> bool:
    """Return whether the arguments and variables of a task refer to a future, directly or through an object such as an
    event.
    """
    coroutine: Any = task.get_coro()
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return False
    waiting: list[Any] = list(frame.f_locals.values())
    seen: set[int] = set()
    while waiting and len(seen) < MAX_OBJECTS:
        one = waiting.pop(0)
        if one is future:
            return True
        if id(one) in seen or isinstance(one, type | ModuleType | asyncio.AbstractEventLoop | str | int | bytes):
            continue
        seen.add(id(one))
        if isinstance(one, FunctionType):
            waiting += [_content(cell) for cell in one.__closure__ or ()]
        elif isinstance(one, MethodType):
            waiting.append(one.__self__)
        elif not isinstance(one, asyncio.Task):
            waiting += gc.get_referents(one)
    return False
