"""The methods of the control plane, with the types of their parameters and results, and their minimum roles.

The client and the node both use this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from . import messages as m

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class Method(Generic[P, R]):
    """A method: its name, the types of its parameters and its result, and the minimum role that may call it."""

    name: str
    params: type[P]
    result: type[R]
    role: m.Role


HELLO = Method("hello", m.Hello, m.NodeInfo, "viewer")
PING = Method("ping", m.Empty, m.Empty, "viewer")
SNAPSHOT = Method("snapshot", m.Empty, m.Snapshot, "viewer")
STATE = Method("state", m.GetState, m.StateView, "viewer")
RELEASES = Method("releases", m.Empty, m.ReleaseList, "viewer")
PLAN = Method("plan", m.MakePlan, m.Plan, "viewer")
OPERATION = Method("operation", m.GetOperation, m.Operation, "viewer")
OPERATIONS = Method("operations", m.ListLimit, m.OperationList, "viewer")
EVENTS = Method("events", m.ListLimit, m.EventList, "viewer")
AUDIT = Method("audit", m.ListLimit, m.AuditList, "viewer")

AUDIT_VERIFY = Method("audit_verify", m.Empty, m.AuditCheck, "operator")
STAGE_BEGIN = Method("stage_begin", m.StageBegin, m.Upload, "operator")
STAGE_CHUNK = Method("stage_chunk", m.StageChunk, m.Empty, "operator")
STAGE_END = Method("stage_end", m.StageEnd, m.ReleaseInfo, "operator")
APPROVE = Method("approve", m.Approve, m.Approval, "operator")
INSTALL = Method("install", m.Install, m.OperationStarted, "operator")
COMMIT = Method("commit", m.Commit, m.Operation, "operator")
ROLLBACK = Method("rollback", m.Rollback, m.OperationStarted, "operator")
REMOVE = Method("remove", m.ReleaseVsn, m.ReleaseList, "operator")
RESTART_PROCESS = Method("restart_process", m.ProcessTarget, m.Empty, "operator")
KILL_PROCESS = Method("kill_process", m.ProcessTarget, m.Empty, "operator")
STOP = Method("stop", m.StopNode, m.Empty, "operator")

METHODS = (
    HELLO, PING, SNAPSHOT, STATE, RELEASES, PLAN, OPERATION, OPERATIONS, EVENTS, AUDIT,
    AUDIT_VERIFY, STAGE_BEGIN, STAGE_CHUNK, STAGE_END, APPROVE, INSTALL, COMMIT, ROLLBACK, REMOVE,
    RESTART_PROCESS, KILL_PROCESS, STOP,
)  # fmt: skip
