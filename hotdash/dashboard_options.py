"""The options with which the dashboard is opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message

from .config.settings import Settings
from .link import Link
from .node_link import RECONNECT_DELAYS
from .recording.writer import RecordingWriter


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """The options of a dashboard, which is read-only by default.

    `page` is the URL of the page that the node serves, for display. `cookie_file` is only for the command lines that
    the dashboard shows. `keymap` replaces the keymap file. `memory` is the path of the file in which the dashboard
    remembers its theme and the names of columns and rows; without it, the dashboard remembers nothing. `open_link`
    makes the link; by default, the link is a NodeLink. `record` is the writer of a recording.
    """

    read_only: bool = True
    page: str | None = None
    cookie_file: Path | None = None
    keymap: dict[str, str] | None = None
    settings: Settings = field(default_factory=Settings)
    memory: Path | None = None
    open_link: Callable[[Callable[[Message], object]], Link] | None = None
    record: RecordingWriter | None = None
    reconnect_delays: tuple[float, ...] = RECONNECT_DELAYS
    clock: Callable[[], float] = time.time
