"""Makes the audit log's entries about changes that no client has requested, and limits the size of all entries."""

from __future__ import annotations

import time
from typing import Final

from msgspec import structs

from node_runtime.protocol.clip import clip
from node_runtime.protocol.key_files import NODE_NAME
from node_runtime.protocol.local_user import os_user
from node_runtime.protocol.messages import AuditEntry, AuditPhase

MAX_FIELD_CHARACTERS: Final = {
    "who": 64,
    "claim": 100,
    "peer": 64,
    "method": 64,
    "subject": 300,
    "reason": 500,
    "plan_id": 64,
    "outcome": 1000,
}
"""The maximum number of characters of each field of an entry.

Longer texts are clipped, so that an entry stays small.
"""


def bounded(entry: AuditEntry) -> AuditEntry:
    """Return the entry with its fields clipped to MAX_FIELD_CHARACTERS."""
    clipped = {
        name: clip(text, limit)
        for name, limit in MAX_FIELD_CHARACTERS.items()
        if (text := getattr(entry, name)) is not None and len(text) > limit
    }
    return structs.replace(entry, **clipped) if clipped else entry


def node_entry(method: str, subject: str, outcome: str, reason: str | None = None) -> AuditEntry:
    """Return an entry about something that happened to the node, such as its boot."""
    return AuditEntry(
        at=time.time(),
        who=NODE_NAME,
        role="node",
        peer="",
        method=method,
        subject=subject,
        phase="event",
        reason=reason,
        outcome=outcome,
    )


def local_entry(method: str, subject: str, phase: AuditPhase, outcome: str | None = None) -> AuditEntry:
    """Return an entry about a change that the OS user of this process makes in the node's directory."""
    return AuditEntry(
        at=time.time(),
        who=os_user(),
        role="local",
        peer="",
        method=method,
        subject=subject,
        phase=phase,
        outcome=outcome,
    )
