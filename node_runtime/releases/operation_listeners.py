"""Listeners to the phases of operations and to changes of a release's health."""

from __future__ import annotations

import logging
from collections.abc import Callable

from node_runtime.protocol.messages import Health, Operation

logger = logging.getLogger("node_runtime")


class OperationListeners:
    """Calls listeners on the event loop. A `subscribe…` method returns the unsubscribe function."""

    def __init__(self) -> None:
        self._for_operations: list[Callable[[Operation], None]] = []
        self._for_health: list[Callable[[str, Health], None]] = []

    def subscribe(self, listener: Callable[[Operation], None]) -> Callable[[], None]:
        """Call `listener` with an operation at each of its phases and at its end."""
        self._for_operations.append(listener)
        return lambda: self._for_operations.remove(listener)

    def subscribe_health(self, listener: Callable[[str, Health], None]) -> Callable[[], None]:
        """Call `listener` with the version and health of the release on probation at each change of health."""
        self._for_health.append(listener)
        return lambda: self._for_health.remove(listener)

    def report(self, operation: Operation) -> None:
        """Call the listeners of operations, and log the errors that they raise."""
        for listener in tuple(self._for_operations):
            try:
                listener(operation)
            except Exception:
                logger.exception("a listener of the node's operations raised an error; the operation continues")

    def report_health(self, vsn: str, health: Health) -> None:
        """Log the health of release `vsn`, and call the listeners of health."""
        level = logging.WARNING if health.verdict == "bad" else logging.INFO
        logger.log(level, "release %s is on probation; its health is %s: %s", vsn, health.verdict, health.finding)
        for listener in tuple(self._for_health):
            listener(vsn, health)
