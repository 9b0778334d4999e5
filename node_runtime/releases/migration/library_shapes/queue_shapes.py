"""The shapes of the queues of `asyncio` and `queue`. A new queue has the same content and count of unfinished tasks."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from typing import Any

from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


class AsyncQueueShape(Shape):
    """The shape of an `asyncio.Queue`, or of an object of its subclasses in `asyncio`."""

    def __init__(self, cls: type[asyncio.Queue[Any]]) -> None:
        self._cls = cls
        self.label = f"asyncio:{cls.__name__}"

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for number, item in enumerate(value._queue):
            yield ("item", number), item

    def begin(self, value: Any) -> Any:
        return self._cls(value._maxsize)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        new._queue.extend(part(item) for item in value._queue)
        new._unfinished_tasks = value._unfinished_tasks
        if value._unfinished_tasks:
            new._finished.clear()
        return new


class ThreadQueueShape(Shape):
    """The shape of a `queue.Queue`, or of an object of its subclasses in `queue`."""

    def __init__(self, cls: type[queue.Queue[Any]]) -> None:
        self._cls = cls
        self.label = f"queue:{cls.__name__}"

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for number, item in enumerate(value.queue):
            yield ("item", number), item

    def begin(self, value: Any) -> Any:
        return self._cls(value.maxsize)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        new.queue.extend(part(item) for item in value.queue)
        new.unfinished_tasks = value.unfinished_tasks
        return new
