"""What a node is and has: itself, vitals, processes, applications, modules, releases; and its events."""

from __future__ import annotations

from typing import Literal

from .operations import Operation
from .struct import Kind, ReleaseStatus, Role, Status, Struct, Verdict
from .term import Term


class NodeInfo(Struct, frozen=True):
    """Who answers: identity, release and protocol of the node, and the caller's own role."""

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
    events_port: int
    max_message: int


class Vitals(Struct, frozen=True):
    """What the node costs and how it feels, taken by psutil and the event loop once a second."""

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


class ProcessInfo(Struct, frozen=True):
    """One live process. `pid` with the node's `boot_id` identifies it for ever."""

    pid: int
    name: str | None
    kind: Kind
    module: str
    vsn: str
    status: Status
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


class ChildInfo(Struct, frozen=True):
    """A child specification of a supervisor that has no live process now."""

    supervisor: int
    child_id: str
    kind: Kind
    status: Literal["undefined", "restarting"]


class ApplicationInfo(Struct, frozen=True):
    """A started application; `top` is its top supervisor."""

    name: str
    vsn: str
    top: int | None


class ModuleInfo(Struct, frozen=True):
    """A managed module: its current version and, while something may still run it, its old one."""

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


class Health(Struct, frozen=True):
    """How the release on probation has done since it was installed, and why that is so, in a clause.

    `verdict`: "good" when nothing has gone wrong for as long as node.toml asks, "bad" when more has than it allows
    (then the node goes back by itself), and "unknown" until then. `lag` is how late the event loop was at the worst.
    """

    verdict: Verdict
    finding: str
    restarts: int
    errors: int
    lag: float
    at: float


class ReleaseInfo(Struct, frozen=True):
    """A release in the node's directory. `probation_until` is set while it is current and not committed, and `health`.

    `failed` is a sentence on how it failed here the last time; `damaged` says what is wrong with its files, and the
    remedy: such a release tells nothing else of itself.
    """

    name: str
    vsn: str
    status: ReleaseStatus
    apps: tuple[tuple[str, str], ...]
    staged: float
    probation_until: float | None = None
    health: Health | None = None
    up: bool = False
    down: bool = False
    failed: str | None = None
    damaged: str | None = None


class Snapshot(Struct, frozen=True):
    """The whole picture at event number `seq`.

    `blocked` is a sentence that says where the event loop stands when it didn't answer in time; the picture was then
    taken beside it and may be torn.
    """

    seq: int
    info: NodeInfo
    vitals: Vitals
    processes: tuple[ProcessInfo, ...]
    children: tuple[ChildInfo, ...]
    applications: tuple[ApplicationInfo, ...]
    modules: tuple[ModuleInfo, ...]
    releases: tuple[ReleaseInfo, ...]
    operation: Operation | None = None
    blocked: str | None = None


class StateView(Struct, frozen=True):
    """The live state of one process; `stack` is where its suspended frames stand. For `blocked` see Snapshot."""

    process: ProcessInfo
    state: Term
    at: float
    stack: tuple[str, ...] = ()
    blocked: str | None = None


EventKind = Literal["vitals", "process", "release", "module", "operation", "rehearsal", "log"]


class Event(Struct, frozen=True):
    """Something happened. `seq` grows by one within a `boot_id`; a gap means: take a new snapshot.

    `text` is one line for people. "vitals" and "operation" events carry the new value (an operation that is large
    comes without its results: ask for it); "rehearsal" and "log" change nothing; after the other kinds the client asks
    for a new snapshot if it shows what changed.
    """

    boot_id: str
    seq: int
    at: float
    kind: EventKind
    text: str = ""
    vitals: Vitals | None = None
    operation: Operation | None = None
