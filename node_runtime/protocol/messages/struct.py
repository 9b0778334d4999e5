"""The base class of the wire structs, and the literal types that several of them share."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Role = Literal["viewer", "operator"]
AuditRole = Literal["viewer", "operator", "local", "node", "none"]
ProcessKind = Literal["gen_server", "gen_statem", "supervisor", "application", "process", "task"]
RunStatus = Literal["idle", "running", "suspended", "zombie"]
ReleaseStatus = Literal["unpacked", "current", "permanent", "old"]
HealthVerdict = Literal["good", "bad", "unknown"]
Direction = Literal["up", "down"]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
"""A duration in a request; a negative number and NaN are refused. Infinity means without a limit."""


class WireStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, gc=False):
    """The base class of every wire struct.

    Wire structs never refer to each other in a cycle, so the garbage collector doesn't track them. If it did, each
    second snapshot of 100,000 processes would start a full collection, which stops the node.
    """
