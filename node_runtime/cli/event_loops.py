"""The node's event loop: asyncio's own or uvloop, as node.toml says. uvloop has to be in the release.

The loop runs until the node ends, even if code that runs on it tries to end it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import NodeConfig

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
    """
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


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
