"""Writes refused logins and requests to the audit log.

The first refusal of each source gets an entry at once. Further refusals are counted, and get one entry with their
number. Therefore endless attempts can neither fill the disk nor push other entries out of the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import AuditEntry

INTERVAL_SECONDS: Final = 300.0
"""Seconds for which the refusals of one source are counted before their number is written."""
MAX_SOURCES: Final = 20
"""The maximum number of sources that get lines of their own in one interval. All other sources share one line."""

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(slots=True)
class _RefusalCount:
    first: AuditEntry
    more: int = 0


class Refusals:
    """Counts the refusals of each source. Only one thread may use it.

    `write(entry)` appends to the audit log; `announce(text)` publishes an event, at the same bounded rate.
    `later(seconds, task)` calls `task()` in the thread that uses this object.
    """

    def __init__(
        self,
        write: Callable[[AuditEntry], None],
        announce: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._write = write
        self._announce = announce
        self._later = later
        self._sources: dict[tuple[str, ...], _RefusalCount] = {}

    def note_login(self, address: str, holder: str, count: int = 1) -> None:
        """Record that `count` connections from `address` were refused because of their key.

        `holder` is the holder of an expired or revoked key; it is empty for an unknown key.
        """
        outcome = f"refused: the key of {holder} is revoked or expired" if holder else "refused: unknown key"
        self._note(_entry(holder, address, "login", "", outcome), ("login", address, holder), count)

    def note_request(self, entry: AuditEntry) -> None:
        """Record that a request was refused because the role of the client doesn't permit it."""
        self._note(entry, ("request", entry.who, entry.peer), 1)

    def flush(self) -> None:
        """For each source with counted refusals, write an entry with their number."""
        sources, self._sources = self._sources, {}
        for source in sources.values():
            if source.more:
                outcome = f"{source.more:,} more: {source.first.outcome}"
                self._put(structs.replace(source.first, at=time.time(), outcome=outcome))

    def _note(self, entry: AuditEntry, key: tuple[str, ...], count: int) -> None:
        if not self._sources:
            self._later(INTERVAL_SECONDS, self.flush)
        source = self._sources.get(key)
        if source is None and len(self._sources) < MAX_SOURCES:
            source = self._sources[key] = _RefusalCount(entry)
            self._put(entry)
            count -= 1
        elif source is None:
            others = _entry("", "several addresses", entry.method, "", entry.outcome or "")
            source = self._sources.setdefault(("others",), _RefusalCount(others))
        source.more += count

    def _put(self, entry: AuditEntry) -> None:
        try:
            self._write(entry)
        except Refused as error:
            logger.error("%s", error.sentence)
        who = f" of {entry.who}" if entry.who else ""
        what = f"a login{who}" if entry.method == "login" else f"a request{who}"
        self._announce(f"{what} from {entry.peer}: {entry.outcome}")


def _entry(who: str, address: str, method: str, subject: str, outcome: str) -> AuditEntry:
    return AuditEntry(
        at=time.time(),
        who=who,
        role="none",
        peer=address,
        method=method,
        subject=subject,
        phase="event",
        outcome=outcome,
    )
