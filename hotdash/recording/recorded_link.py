"""A link whose messages and answers are recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from textual.message import Message

from hotdash.link import Link
from hotdash.messages import RequestAnswered
from hotdash.model.view_state import DataNeeds
from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import pack

from .recorder import Recorder

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)


class RecordedLink:
    """The link that `open_link` makes. `recorder` records its messages and answers."""

    live = True

    def __init__(
        self,
        open_link: Callable[[Callable[[Message], object]], Link],
        recorder: Recorder,
        post: Callable[[Message], object],
    ) -> None:
        self._recorder = recorder
        self._link = open_link(recorder.tap(post))

    def start(self) -> None:
        """Begin to post messages."""
        self._link.start()

    async def close(self) -> None:
        """Post no more messages, and close the file."""
        await self._link.close()
        self._recorder.close()

    def set_needs(self, needs: DataNeeds) -> None:
        """Set which data the open view needs from now on."""
        self._link.set_needs(needs)

    def refresh(self) -> None:
        """Read everything now."""
        self._link.refresh()

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = 10.0) -> R:
        """Send a request, and record its answer."""
        answer = await self._link.request(method, params, timeout=timeout)
        self._recorder.record(RequestAnswered(method.name, method.packed(params), pack(answer)))
        return answer

    async def stage(self, path: Path, progress: Callable[[int, int], None]) -> m.ReleaseInfo:
        """Upload a release's tarball."""
        return await self._link.stage(path, progress)
