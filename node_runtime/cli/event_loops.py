"""Which event loop a node runs on: node.toml says it, and uvloop is there if the release brings it. And how long: it
ends with the node, and not when some code in it wants to leave."""

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
    """What makes the node's event loop; None means asyncio's own, also where the other one is missing."""
    if node.loop == "asyncio" or not _has_uvloop():
        return None
    import uvloop

    return uvloop.new_event_loop


def check_loop(node: NodeConfig, vsn: str) -> None:
    """Raise Refused if the release lacks the event loop that node.toml asks for."""
    if node.loop == "uvloop" and not _has_uvloop():
        raise Refused(f'node.toml says loop = "uvloop", but release {vsn} has none; add uvloop to its requirements.')


def run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """What `main` comes to on the loop, whatever asyncio code beside it does.

    asyncio ends its loop when a task or callback raises SystemExit or KeyboardInterrupt, or calls `loop.stop()`. Here
    a process that does so has crashed; what is no process is logged, and everybody else goes on.
    """
    living = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(living)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
            if living.done() or loop.is_closed():
                raise
            logger.error(
                "asyncio code outside of all processes would have ended the event loop, which goes on: %s: %s",
                type(error).__name__,
                error,
                exc_info=error,
            )


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
