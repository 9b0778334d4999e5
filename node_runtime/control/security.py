"""The control of access to a node: the key ring, the audit log, and the count of refusals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_files import fingerprint
from node_runtime.protocol.key_ring import KeyRing, RingKey
from node_runtime.protocol.messages import AuditEntry

from .audit import AuditLog, Refusals, node_entry
from .audit.audit_log import MAX_LISTED_ENTRIES
from .live_key_ring import POLL_SECONDS, LiveKeyRing

logger: Final = logging.getLogger("node_runtime.control")


class Security(msgspec.Struct, frozen=True):
    """The key ring, audit log and refusals of one node. Only the control thread may use them.

    `announce(text)` publishes an event. `later(seconds, task)` calls `task()` in the control thread.
    `on_change(ring)` is called when the set of valid keys has changed.
    """

    keys: LiveKeyRing
    audit: AuditLog
    refusals: Refusals
    announce: Callable[[str], None]
    later: Callable[[float, Callable[[], None]], None]
    on_change: Callable[[KeyRing], None]

    def record(self, entry: AuditEntry) -> None:
        """Write an entry about something that has happened already; an error is only logged."""
        try:
            self.audit.write(entry)
        except Refused as error:
            logger.error("%s", error.sentence)

    def record_boot(self, subject: str, previous_end: str, reason: str | None) -> None:
        """Record the boot of the node, and how its previous run ended.

        If `previous_end` is empty, the end of the previous run is read from the audit log.
        """
        outcome = f"the previous run ended: {previous_end}" if previous_end else self._previous_end()
        self.record(node_entry("boot", subject, outcome, reason))

    def _previous_end(self) -> str:
        for entry in reversed(self.audit.newest(MAX_LISTED_ENTRIES)):
            if entry.role == "node" and entry.method == "end":
                return f"the previous run ended: {entry.subject}, {entry.outcome}"
            if entry.role == "node" and entry.method == "boot":
                return "the end of the previous run was not recorded: the node or the machine crashed"
        return "no previous run is recorded"

    def logins_refused(self, address: str, public: bytes, count: int) -> None:
        """Record `count` connections that were refused because of their key (Z85)."""
        holder = self.keys.known(public)
        self.refusals.note_login(address, "" if holder is None else holder.name, count)

    def note(self, method: str, subject: str, outcome: str) -> None:
        """Record something that has happened to the node: in the audit log, in the log, and as an event."""
        logger.warning("%s", subject)
        self.record(node_entry(method, subject, outcome))
        self.announce(subject)

    def watch_keys(self) -> None:
        """Follow the changes of the key files from now on."""
        self.later(POLL_SECONDS, self.watch_keys)
        before = self.keys.valid
        self.keys.refresh()
        if self.keys.valid != before:
            self.on_change(self.keys.valid)
            self._record_change(before, self.keys.valid)

    def _record_change(self, before: KeyRing, after: KeyRing) -> None:
        added = [f"{_title(key)} is valid" for key in after.keys if before.known(key.public) is None]
        ended = [f"{_title(key)} is not valid any more" for key in before.keys if after.known(key.public) is None]
        if added or ended:
            clause = ", ".join(added + ended)
            self.record(node_entry("keys", clause, "in effect"))
            self.announce(f"the keys have changed: {clause}")


def _title(key: RingKey) -> str:
    return f"{key.name}'s key {fingerprint(key.public)} ({key.role})"
