"""Finds what would stay with an old object when a new one replaces it: finalizers, weak references, and waiting tasks.

The finalizers of the old object would run as soon as nothing refers to the old object, and close what the new object
still uses. Weak references to the old object, such as those of a `WeakSet` in another module, would be dead. Tasks that
wait for an old queue would never get what is put into the new queue. A task that holds an old lock would not release
the new lock.
"""

from __future__ import annotations

import asyncio
import queue
import weakref
from collections.abc import Callable
from typing import Any

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of, type_name


def left_behind(value: Any, is_converted: Callable[[weakref.ref[Any]], bool]) -> str | None:
    """Return a clause that says what would stay with an old object; None if nothing would.

    `is_converted` returns whether a weak reference is itself converted, so that it will lead to the new object.
    """
    label = type_name(type(value))
    if any("__del__" in namespace_of(base) for base in mro_of(type(value))):
        return f"{label} has a __del__, which would run when a new object replaces the old one"
    if not weakref.getweakrefcount(value):
        return None
    references = [one for one in weakref.getweakrefs(value) if not is_converted(one)]
    plain = [
        one for one in references if type(one) not in weakref.ProxyTypes
    ]  # the attributes of a proxy are those of its target
    if any(isinstance(one.__callback__, weakref.finalize) for one in plain):
        return f"an object of {label} has a finalizer, which would run when a new object replaces the old one"
    if references:
        return f"weak references to an object of {label} would be lost, since a new object replaces the old one"
    return None


def used_by_others(value: Any, label: str, is_affected: Callable[[Any], bool]) -> str | None:
    """Return a clause if tasks or threads wait for the queue `value`, or a task holds the lock `value`; None otherwise.

    These tasks or threads would keep the old object after the migration has replaced it by a copy. For a queue of a
    user's own class, the result is None: the copy shares the items of the old queue, unless `is_affected` returns True
    for the items.
    """
    cls = type(value)
    a_label = f"{'an' if label[0] in 'aeiou' else 'a'} {label}"
    if issubclass(cls, queue.Queue):
        waits = any(one._waiters for one in (value.not_empty, value.not_full, value.all_tasks_done))
        if waits and (cls.__module__ == "queue" or is_affected(value.queue)):
            return f"threads wait for {a_label}, and a new one would not wake them"
    elif issubclass(cls, asyncio.Queue):
        waits = value._getters or value._putters or value._finished._waiters
        if waits and (cls.__module__ == "asyncio.queues" or is_affected(value._queue)):
            return f"tasks wait for {a_label}, and a new one would not wake them"
    elif _is_held(value):
        return f"a task holds {a_label}, and would not release a new one"
    return None


def _is_held(value: Any) -> bool:
    if issubclass(type(value), asyncio.Lock):
        return bool(value._locked)
    return issubclass(type(value), asyncio.BoundedSemaphore) and value._value != value._bound_value
