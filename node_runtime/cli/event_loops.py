"""The node's event loop: asyncio's own loop or uvloop, as node.toml says. The release must contain uvloop to use it.

The loop runs until the node ends, even if code that runs on it tries to end it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import NodeConfig

THREAD_SWITCH_SECONDS: Final = 0.001
"""The longest turn of a thread that computes while the event loop has something to do. Python's default is five times
as long, and a request may wait for several turns.
"""

T = TypeVar("T")
logger: Final = logging.getLogger("node_runtime")


def loop_factory(node: NodeConfig) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the factory of the node's event loop. None means asyncio's own loop.

    If uvloop is missing, the result is None, too; `check_loop` reports the error later.
    """
    if node.loop == "asyncio" or not _has_uvloop():
        return None
    import uvloop

    return uvloop.new_event_loop


def check_loop(node: NodeConfig, vsn: str) -> None:
    """Raise Refused if the release does not contain the event loop that node.toml sets."""
    if node.loop == "uvloop" and not _has_uvloop():
        raise Refused(
            f'node.toml sets loop = "uvloop", but release {vsn} has no uvloop; add uvloop to its requirements.'
        )


def run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the loop and return its result, even if other code tries to end the loop.

    asyncio ends its loop when a task or callback raises SystemExit or KeyboardInterrupt, or calls
    `loop.stop()`. If the code of a process does so, only that process crashes. If code outside of
    all processes does so, the attempt is logged and the loop continues.

    A fork of this OS process that returns to the loop ends there. Python's thread switch interval is shortened to
    `THREAD_SWITCH_SECONDS`, unless it is shorter already.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), THREAD_SWITCH_SECONDS))
    os.register_at_fork(after_in_child=partial(_end_when_run, loop))
    main_task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(main_task)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
            if main_task.done() or loop.is_closed():
                raise
            logger.error(
                "code outside of all processes tried to end the event loop by %s: %s; the event loop continues",
                type(error).__name__,
                error,
                exc_info=error,
            )


def _end_when_run(loop: asyncio.AbstractEventLoop) -> None:
    """In a fork, let the loop call `_end_fork` first if the fork returns to the loop.

    A callback that calls `os.fork` and returns in the child would otherwise make a second node, which handles the same
    messages, timers and sockets as the node. A fork that executes another program or never returns is not affected.
    """
    if loop.is_closed():
        return
    with suppress(
        RuntimeError
    ):  # in debug mode: another thread has forked, so the loop's thread doesn't exist in the fork
        loop.call_soon(_end_fork)
        ready = getattr(loop, "_ready", None)
        if isinstance(ready, deque):  # asyncio's own loop; uvloop first finishes the callbacks that it has begun
            ready.rotate(1)


def _end_fork() -> None:
    logger.error(
        "process %d, a fork of the node, has returned to the node's event loop, so it ends: end a fork with os._exit, "
        "or start a program with subprocess",
        os.getpid(),
    )
    os._exit(1)


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
