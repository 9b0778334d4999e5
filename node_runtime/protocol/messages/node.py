"""Structs that describe a node: identity, vitals, processes, applications, modules and releases; and its events."""

from __future__ import annotations

from typing import Literal

from .operations import Operation
from .struct import HealthVerdict, ProcessKind, ReleaseStatus, Role, RunStatus, WireStruct
from .term import Term
from .trust import ReleaseSignature, ReleaseTrust


class NodeInfo(WireStruct, frozen=True):
    """The identity, the release and the protocol parameters of the node.

    `trust` says which releases the node accepts. `role` is the role of the caller. `who` is the name of the caller's
    key. Only the reply to `hello` has `who`, because several callers may get the same snapshot. If `development` is
    true, the node runs a project from its sources, and is not meant for production.
    """

    name: str
    boot_id: str
    os_pid: int
    directory: str
    release: str
    vsn: str
    permanent: str
    python: str
    runtime: str
    started: float
    generation: int
    role: Role
    max_message: int
    trust: ReleaseTrust = ReleaseTrust()
    who: str = ""
    development: bool = False


class RestartingSupervisor(WireStruct, frozen=True):
    """A supervisor whose children have failed `per_minute` times in the last minute.

    The supervisor has made `used` restarts in the last `period` seconds. If it makes more than `intensity` restarts in
    `period` seconds, it ends. `child` is the child that has failed last, at the time `at`, with the exit reason
    `reason`. Since the time `since`, no minute has passed without such a failure.
    """

    pid: int
    name: str | None
    used: int
    intensity: int
    period: float
    per_minute: int
    child: str
    reason: str
    at: float
    since: float = 0.0


class GrowingMailbox(WireStruct, frozen=True):
    """A process whose mailbox has `waiting` messages and grows by `growth` messages per second."""

    pid: int
    name: str | None
    waiting: int
    growth: float


class Vitals(WireStruct, frozen=True):
    """The load and the resource usage of the node, measured once a second.

    `blocked` is the code that blocks the event loop now, or "" if the loop isn't blocked. While the loop is blocked,
    `loop_lag` is the time for which it has been blocked. `restarting` and `mailboxes` have only the few entries with
    the greatest values.
    """

    at: float
    cpu_percent: float
    rss: int
    threads: int
    descriptors: int
    loop_lag: float
    processes: int
    messages_per_second: float
    queued: int
    restarts: int
    uptime: float
    blocked: str = ""
    restarting: tuple[RestartingSupervisor, ...] = ()
    mailboxes: tuple[GrowingMailbox, ...] = ()


class ProcessSummary(WireStruct, frozen=True):
    """One live process. Its `pid` and the node's `boot_id` together identify it forever."""

    pid: int
    name: str | None
    kind: ProcessKind
    module: str
    vsn: str
    status: RunStatus
    parent: int | None
    started: float
    mailbox: int = 0
    messages: int = 0
    child_id: str | None = None
    application: str | None = None
    state_name: str | None = None
    callback: str | None = None
    links: tuple[int, ...] = ()
    monitors: tuple[int, ...] = ()
    restarts: int = 0
    strategy: str | None = None
    intensity: str | None = None


class ChildInfo(WireStruct, frozen=True):
    """A child specification of a supervisor, for a child whose process is not running."""

    supervisor: int
    child_id: str
    kind: ProcessKind
    status: Literal["undefined", "restarting"]


class ApplicationInfo(WireStruct, frozen=True):
    """A started application; `top` is its top supervisor."""

    name: str
    vsn: str
    top: int | None


class ModuleInfo(WireStruct, frozen=True):
    """A managed module: its current version, and its old version if it still exists.

    `old_pids` are the processes that run the old version now. `old_tasks` is the number of tasks and threads that run
    the old version and belong to no process, such as the tasks of websockets.
    """

    name: str
    application: str
    app_vsn: str
    vsn: str
    sha256: str
    path: str
    loaded: float
    processes: int = 0
    old_vsn: str | None = None
    old_app_vsn: str | None = None
    old_path: str | None = None
    old_pids: tuple[int, ...] = ()
    old_tasks: int = 0


class Health(WireStruct, frozen=True):
    """The health of a release on probation. `finding` is a clause with the reason for the verdict.

    `verdict` is "unknown" at first. It becomes "good" after a certain time without trouble, and "bad" after too much
    trouble since the install; node.toml sets both limits. If the verdict becomes "bad", the node reverts to the
    permanent release by itself. `lag` is the largest delay of the event loop. `errors` counts crashes and log records
    of level ERROR.
    """

    verdict: HealthVerdict
    finding: str
    restarts: int
    errors: int
    lag: float
    at: float


class ReleaseInfo(WireStruct, frozen=True):
    """A release in the node's directory. `probation_until` and `health` are set while the release is on probation.

    `no_way_back` is a sentence that says why a revert from this release needs a restart, which loses all states. `up`
    is true if a relup upgrades the current release to this release. `down` is true if a relup downgrades the current
    release to this release. `failed` is a sentence about the last failure of this release on this node. `damaged` is a
    sentence about the damage to the release's files and the remedy. The other fields of a damaged release have no
    meaning.
    """

    name: str
    vsn: str
    status: ReleaseStatus
    apps: tuple[tuple[str, str], ...]
    staged: float
    probation_until: float | None = None
    health: Health | None = None
    no_way_back: str | None = None
    up: bool = False
    down: bool = False
    failed: str | None = None
    damaged: str | None = None
    signature: ReleaseSignature = ReleaseSignature()


class WorkerInfo(WireStruct, frozen=True):
    """One worker of a node that has several workers: an OS process that runs the release `vsn` and has its own states.

    Clients inspect the worker as the node `name`. Only worker 1 changes the releases of the node. While the worker is
    down, `vsn` is empty and `down` is the reason.
    """

    number: int
    name: str
    vsn: str
    os_pid: int | None
    down: str = ""


class NodeSummary(WireStruct, frozen=True, kw_only=True):
    """The state of the node at event number `seq`, without its processes.

    If the event loop doesn't reply in time, another thread replies. Then the parts of the reply may be of different
    moments, and `blocked` is a clause about the code that blocks the event loop. `workers` is empty if the node has
    only one OS process. All other fields describe the worker that replies.
    """

    seq: int
    info: NodeInfo
    vitals: Vitals
    applications: tuple[ApplicationInfo, ...]
    modules: tuple[ModuleInfo, ...]
    releases: tuple[ReleaseInfo, ...]
    operation: Operation | None = None
    blocked: str | None = None
    workers: tuple[WorkerInfo, ...] = ()


class Snapshot(NodeSummary, frozen=True, kw_only=True):
    """The state of the whole node, with all its processes. For the inherited fields see NodeSummary."""

    processes: tuple[ProcessSummary, ...]
    children: tuple[ChildInfo, ...]


class ProcessExit(WireStruct, frozen=True):
    """A process that has ended: its pid, when it started and ended, and its exit reason as text.

    The last four fields come from the crash report. They are empty if there is no crash report, and outside of a
    ProcessView. They are the version of the process's module, the message that it was handling, its state, and a trace.
    The trace has the calls that led to the error, outermost first, then the causes of the error.
    """

    pid: int
    started: float
    ended: float
    reason: str
    orderly: bool
    vsn: str = ""
    last_message: str = ""
    state: str = ""
    trace: tuple[str, ...] = ()


class StateView(WireStruct, frozen=True):
    """The live state of one process; `stack` has the positions of its suspended frames.

    `running` is the name of the async callback that runs. `waits_for` are the processes whose reply or exit this
    callback awaits. `mail` describes at most 10 of the oldest queued messages. `exits` has the at most 5 most recently
    ended processes with the same name, the newest first. For a process without a name, these are processes with the
    same parent and code. For `blocked` see NodeSummary.
    """

    process: ProcessSummary
    state: Term
    at: float
    stack: tuple[str, ...] = ()
    blocked: str | None = None
    running: str | None = None
    waits_for: tuple[int, ...] = ()
    mail: tuple[Term, ...] = ()
    exits: tuple[ProcessExit, ...] = ()


NodeEventKind = Literal["vitals", "process", "release", "module", "operation", "rehearsal", "log", "audit"]


class NodeEvent(WireStruct, frozen=True):
    """An event of the node. `seq` grows by one within a `boot_id`; a client that finds a gap takes a new snapshot.

    `text` is one line for people. A "log" event about an exception has the calls that led to it as `trace`, outermost
    first, each as `file:line function`; a line that names a cause begins with "caused by ", "raised while handling " or
    "in the group: ". "vitals" and "operation" events have the new value. The event of a large operation
    lacks the operation's results; a client gets them by the method `operation`. "rehearsal", "log" and "audit" events
    change nothing in a snapshot. After any other event, a client that shows the changed data requests a new snapshot.
    """

    boot_id: str
    seq: int
    at: float
    kind: NodeEventKind
    text: str = ""
    vitals: Vitals | None = None
    operation: Operation | None = None
    trace: tuple[str, ...] = ()
