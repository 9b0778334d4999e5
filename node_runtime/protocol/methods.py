"""The methods of the control plane: their parameters and results, minimum roles, costs and descriptions.

The client and the node both use this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from . import messages as m
from .exit_codes import ExitCode, Refused
from .wire import pack

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

PROTOCOL = 2
"""Grows with every change that an older client or node would misread. A node refuses a client with another one."""


@dataclass(frozen=True, slots=True)
class Method(Generic[P, R]):
    """A method: its name, the types of its parameters and its result, and the minimum role that may call it.

    `cost` is the price of a request in tokens. A client can spend a limited number of tokens per second; a token is
    worth about a tenth of a millisecond of the node's time. `doc` describes the method in one line. Some tokens and
    places in queues are reserved for an operator who has to stop a failure: only an `urgent` method can use them.
    An operator's method that `reads` leaves the node as it was.
    """

    name: str
    params: type[P]
    result: type[R]
    role: m.Role
    cost: int = 0
    doc: str = ""
    urgent: bool = False
    reads: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether the request leaves the node as it was; without a reply, its outcome is known to be none."""
        return self.reads or self.role == "viewer"

    def packed(self, params: P | None) -> bytes:
        """Return the parameters, by default none, in the form for the wire.

        Raises Refused (USAGE) for a text that is not valid Unicode and for a number that is too large.
        """
        try:
            return pack(m.Empty() if params is None else params)
        except (ValueError, OverflowError) as error:
            raise Refused(f"The request {self.name!r} can't be sent: {error}.", ExitCode.USAGE) from None


HELLO = Method(
    "hello", m.Hello, m.NodeInfo, "viewer", 2,
    "Compares the protocol versions, and returns the identity of the node; the first request of a client.",
)  # fmt: skip
PING = Method("ping", m.Empty, m.Empty, "viewer", 1, "Returns nothing; shows that the node answers.")
SNAPSHOT = Method(
    "snapshot", m.Empty, m.Snapshot, "viewer", 2,
    "Returns all processes, modules, applications and releases; clients that ask at the same time share one snapshot.",
)  # fmt: skip
STATE = Method(
    "state", m.GetState, m.StateView, "viewer", 4, "Returns one process and its state, cut to a bounded size."
)
RELEASES = Method("releases", m.Empty, m.ReleaseList, "viewer", 2, "Lists the releases in the node's directory.")
OPERATION = Method("operation", m.GetOperation, m.Operation, "viewer", 4, "Returns one operation with its results.")
OPERATIONS = Method(
    "operations", m.ListLimit, m.OperationList, "viewer", 8, "Lists the past operations and the running one."
)
SUBSCRIBE = Method(
    "subscribe", m.Empty, m.Subscription, "viewer", 2,
    "Sends all events from now on to the client, over the same connection as its replies.",
)  # fmt: skip
UNSUBSCRIBE = Method("unsubscribe", m.Empty, m.Empty, "viewer", 1, "Sends no more events to the client.")
EVENTS = Method("events", m.ListLimit, m.EventList, "viewer", 8, "Lists the newest events.")
AUDIT = Method("audit", m.ListLimit, m.AuditList, "viewer", 40, "Lists the newest entries of the audit log.")

PLAN = Method(
    "plan", m.MakePlan, m.Plan, "operator", 40,
    "Makes the plan of an install, and rehearses it; a newer request of the same connection replaces this one.",
    reads=True,
)  # fmt: skip
AUDIT_VERIFY = Method(
    "audit_verify",
    m.Empty,
    m.AuditCheck,
    "operator",
    40,
    "Checks the chain of the audit log, and its anchor.",
    reads=True,
)
STAGE_BEGIN = Method("stage_begin", m.StageBegin, m.Upload, "operator", 8, "Begins the upload of a tarball.")
STAGE_CHUNK = Method("stage_chunk", m.StageChunk, m.Empty, "operator", 4, "Adds the next bytes to an upload.")
STAGE_END = Method(
    "stage_end", m.StageEnd, m.ReleaseInfo, "operator", 40, "Ends an upload: verifies and unpacks the release."
)
APPROVE = Method(
    "approve", m.Approve, m.Approval, "operator", 40,
    "Approves the install of a release, or one plan, on a node that requires approvals.",
)  # fmt: skip
INSTALL = Method("install", m.Install, m.OperationStarted, "operator", 40, "Begins an upgrade or a downgrade.")
COMMIT = Method("commit", m.Commit, m.Operation, "operator", 40, "Makes the current release permanent.")
ROLLBACK = Method(
    "rollback", m.Rollback, m.OperationStarted, "operator", 40, "Begins the return to the permanent release.", True
)
ABORT = Method(
    "abort", m.Abort, m.OperationStarted, "operator", 8,
    "Ends the running operation while it prepares or waits, before it changes the node; returns its id.", True,
)  # fmt: skip
REMOVE = Method("remove", m.ReleaseVsn, m.ReleaseList, "operator", 40, "Deletes a release and its unshared files.")
RESTART_PROCESS = Method(
    "restart_process", m.ProcessTarget, m.Empty, "operator", 8, "Ends a process; its supervisor starts it again."
)
KILL_PROCESS = Method("kill_process", m.ProcessTarget, m.Empty, "operator", 8, "Ends a process at once.")
STOP = Method("stop", m.StopNode, m.Empty, "operator", 8, "Shuts the node down, or restarts it.", True)

METHODS = (
    HELLO, PING, SNAPSHOT, STATE, RELEASES, OPERATION, OPERATIONS, SUBSCRIBE, UNSUBSCRIBE, EVENTS, AUDIT,
    AUDIT_VERIFY, PLAN, STAGE_BEGIN, STAGE_CHUNK, STAGE_END, APPROVE, INSTALL, COMMIT, ROLLBACK, ABORT, REMOVE,
    RESTART_PROCESS, KILL_PROCESS, STOP,
)  # fmt: skip
