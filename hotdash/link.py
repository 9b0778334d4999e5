"""The interface to the source of the dashboard's data: a node, or a recording of a node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import Method

from .model.view_state import DataNeeds

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)


class Link(Protocol):
    """A link posts messages to the dashboard, and answers its requests. `NodeLink` documents the methods.

    `live` is True for a node, which can answer new requests, and False for a recording.
    """

    live: bool

    def start(self) -> None:
        """Begin to post messages."""

    async def close(self) -> None:
        """Post no more messages."""

    def set_needs(self, needs: DataNeeds) -> None:
        """Set which data the open view needs from now on."""

    def refresh(self) -> None:
        """Read everything now."""

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = 10.0) -> R:
        """Send a request; return the reply. Raises Refused."""
        ...

    async def stage(self, path: Path, progress: Callable[[int, int], None]) -> m.ReleaseInfo:
        """Upload a release's tarball. Raises Refused."""
        ...
