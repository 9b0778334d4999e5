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

PROTOCOL = 4
"""The protocol version. It grows with every change that an older client or node would misread.

A node refuses a client with another version.
"""


@dataclass(frozen=True, slots=True)
class Method(Generic[P, R]):
    """A method: its name, the types of its parameters and its result, and the minimum role that may call it.

    `cost` is the price of a request in tokens. A client can spend a limited number of tokens per second; a token is
    worth about a tenth of a millisecond of the node's time. `doc` describes the method in one line. An `urgent` method
    can use the tokens and the places in queues that are reserved for an operator who has to stop a failure. If `reads`
    is true, the method does not change the node, although only operators may call it.
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
        """Whether a request of this method never changes the node. Then a lost reply leaves nothing unknown."""
        return self.reads or self.role == "viewer"

    def packed(self, params: P | None) -> bytes:
        """Return the parameters in their packed form; without parameters, return an empty struct.

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
SUMMARY = Method(
    "summary", m.Empty, m.NodeSummary, "viewer", 2,
    "Returns the vitals, modules, applications and releases: a snapshot without the processes.",
)  # fmt: skip
PROCESSES = Method(
    "processes", m.ProcessQuery, m.ProcessPage, "viewer", 4,
    "Returns a sorted page of the processes that match a filter; a later request gets only the rows that changed.",
)  # fmt: skip
TREE = Method(
    "tree", m.TreeQuery, m.TreePage, "viewer", 4,
    "Returns a page of the supervision tree, with siblings in the order of their child specifications.",
)  # fmt: skip
STATE = Method(
    "state", m.GetState, m.StateView, "viewer", 4, "Returns one process and its state, cut to a bounded size."
)
PROCESS = Method(
    "process", m.InspectProcess, m.ProcessView, "viewer", 8,
    "Returns one process in depth: state, mailbox, relations, timeouts, and recorded messages.",
)  # fmt: skip
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
OLD_CODE = Method(
    "old_code", m.Empty, m.OldCodeList, "viewer", 40,
    "Lists the old versions of modules, and what keeps each of them; the search runs in a copy of the node.",
)  # fmt: skip
STRAY_TASKS = Method(
    "stray_tasks", m.Empty, m.TaskList, "viewer", 20, "Lists the tasks of the event loop that no process owns."
)

SOURCE = Method(
    "source", m.GetSource, m.ModuleSource, "operator", 8, "Returns the source of a module's versions.", reads=True
)
PLAN = Method(
    "plan", m.MakePlan, m.Plan, "operator", 40,
    "Makes the plan of an install, with a rehearsal; a newer request of the same connection cancels this request.",
    reads=True,
)  # fmt: skip
AUDIT_VERIFY = Method(
    "audit_verify",
    m.Empty,
    m.AuditCheck,
    "operator",
    40,
    "Checks the audit log's chain of hashes, also against the hashes that its anchor has outside the log.",
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
    "Ends the running operation if it still prepares or waits and has changed nothing; returns its id.", True,
)  # fmt: skip
REMOVE = Method(
    "remove",
    m.ReleaseVsn,
    m.ReleaseList,
    "operator",
    40,
    "Deletes a release, and those of its files that no other release has.",
)
RESTART_PROCESS = Method(
    "restart_process", m.ProcessTarget, m.Empty, "operator", 8, "Ends a process; its supervisor starts it again."
)
KILL_PROCESS = Method("kill_process", m.ProcessTarget, m.Empty, "operator", 8, "Ends a process at once.")
LOG_PROCESS = Method(
    "log_process", m.LogProcess, m.Empty, "operator", 8, "Begins to log the messages of a process, or ends the log."
)
TRACE_PROCESS = Method(
    "trace_process", m.TraceProcess, m.Empty, "operator", 8, "Records the events of a process for some seconds."
)
SUSPEND_PROCESS = Method(
    "suspend_process", m.SuspendProcess, m.Empty, "operator", 8, "Suspends a process for some time."
)
RESUME_PROCESS = Method(
    "resume_process", m.ProcessTarget, m.Empty, "operator", 8, "Resumes a process that an operator has suspended."
)
KILL_TASK = Method("kill_task", m.TaskTarget, m.TaskList, "operator", 8, "Cancels a task that no process owns.")
PURGE = Method(
    "purge", m.PurgeModule, m.Purged, "operator", 40,
    "Ends what keeps the old version of a module, such as processes and tasks, and drops the version.",
)  # fmt: skip
STOP = Method("stop", m.StopNode, m.Empty, "operator", 8, "Shuts the node down, or restarts it.", True)

METHODS = (
    HELLO, PING, SNAPSHOT, SUMMARY, PROCESSES, TREE, STATE, PROCESS, RELEASES, OPERATION, OPERATIONS, SUBSCRIBE,
    UNSUBSCRIBE, EVENTS, AUDIT, OLD_CODE, STRAY_TASKS, SOURCE, AUDIT_VERIFY, PLAN, STAGE_BEGIN, STAGE_CHUNK, STAGE_END,
    APPROVE, INSTALL, COMMIT, ROLLBACK, ABORT, REMOVE, RESTART_PROCESS, KILL_PROCESS, LOG_PROCESS, TRACE_PROCESS,
    SUSPEND_PROCESS, RESUME_PROCESS, KILL_TASK, PURGE, STOP,
)  # fmt: skip
