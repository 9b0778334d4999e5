"""Closes the websockets that an upgrade has left in the old version of their application, with the code 1012.

1012 means "service restart". The times are random, so that not all clients reconnect at once.
"""

from __future__ import annotations

import asyncio
import random
import weakref
from collections.abc import Iterable
from typing import Any

from node_runtime.processes import runtime


def drain_websockets(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Close each websocket that one of `tasks` serves, at a random time within `seconds`; return these tasks.

    The application gets the event `websocket.disconnect` with the code 1012. Other requests are left alone.
    """
    loop, found = runtime().loop, set[asyncio.Task[Any]]()
    for task in tasks:
        frame = getattr(task.get_coro(), "cr_frame", None)
        connection = None if frame is None else frame.f_locals.get("self")  # uvicorn's object for one websocket
        if (getattr(connection, "scope", None) or {}).get("type") == "websocket":
            # Weak references, because a timer must not keep the objects of a connection that has ended already.
            loop.call_later(random.uniform(0.0, seconds), _close, weakref.ref(task), weakref.ref(connection))
            found.add(task)
    return found


def _close(task: weakref.ref[asyncio.Task[Any]], connection: weakref.ref[Any]) -> None:
    served, found = task(), connection()
    if served is not None and found is not None and not served.done():
        found.shutdown()
