"""Upgrade and downgrade plans, and the results of their rehearsals."""

from __future__ import annotations

from typing import Literal

from .struct import Direction, ProcessKind, WireStruct
from .term import Term
from .trust import Approval

RehearsalOutcome = Literal["ok", "raised", "wrong type", "no such state", "mutated", "hung", "died", "unrehearsed"]
"""The outcome of one process's code_change on a copy of its state.

"died": the code_change ended the copy of the node; "unrehearsed": the code_change needs something that a rehearsal
doesn't have.
"""


class Blocker(WireStruct, frozen=True):
    """A reason why a plan can't be carried out now. A `transient` blocker may disappear by itself: see `--wait`."""

    reason: str
    remedy: str
    pid: int | None = None
    transient: bool = False


class PlannedProcess(WireStruct, frozen=True):
    """A live process in a plan.

    `action`: "load" (gets the new code at its next message), "migrate" (is suspended, and code_change converts its
    state), "suspend" (is suspended, and keeps its state under the new code), "stop" (is shut down by instruction
    `step`) or "kill" (is killed, because its code is purged brutally).
    """

    pid: int
    name: str | None
    module: str
    action: Literal["load", "suspend", "migrate", "stop", "kill"]
    kind: ProcessKind = "gen_server"
    step: int | None = None


class PlannedModule(WireStruct, frozen=True):
    """A module in a plan. `needs`: the modules of the plan that the module's new version imports.

    `registers`: the registrations that the body of the new version makes with the interpreter and with libraries. They
    replace the registrations of the old version. `opens`: the databases that the body opens, and the files that it
    opens to append to them. The new version then has its own connection or file.
    """

    name: str
    application: str
    action: Literal["load", "add", "delete"]
    old_vsn: str | None
    new_vsn: str | None
    needs: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()


ModuleValueFate = Literal["carried", "migrated", "made anew", "lost"]


class PlannedModuleValue(WireStruct, frozen=True):
    """A name of a planned module whose value holds data: a container, an instance or a cache.

    `fate`: "carried" (`__carry__` keeps the object), "migrated" (a `__carry__` function makes the new value), "made
    anew" (the new version has its own object, and no data is lost) or "lost" (the new version's object lacks the data).
    `entries` is the number of entries in a container or a cache; None for an instance. `size` is the value's estimated
    size in bytes. `in_function`: a function holds the value, in a cache, an attribute, its closure or a default value.
    `code`: the replaced functions and classes to which lost data refers. If there are any, `__carry__` should not list
    the name.
    """

    module: str
    name: str
    kind: str
    fate: ModuleValueFate
    entries: int | None = None
    size: int = 0
    in_function: bool = False
    code: tuple[str, ...] = ()


ChildChange = Literal["added", "replaced", "removed", "left out"]


class PlannedChild(WireStruct, frozen=True):
    """The change of one child when its supervisor reads its child specifications again.

    `change`: "added" (is added, but not started), "replaced" (gets another specification at its next start), "removed"
    (is not in the new specifications, but runs until it is stopped) or "left out" (is not added again, because it is
    temporary and has ended). `step`: the number, from 1, of the instruction that starts an added child or stops a
    removed child. `unread`: the script doesn't make the supervisor read its specifications again, so the change takes
    effect only at the supervisor's next start.
    """

    supervisor: int
    supervisor_name: str | None
    id: str
    change: ChildChange
    step: int | None = None
    unread: bool = False


FileChange = Literal["added", "changed", "removed"]


class PlannedFile(WireStruct, frozen=True):
    """The change of one data file; `path` is relative to the folder of the application."""

    application: str
    path: str
    change: FileChange


class RehearsalResult(WireStruct, frozen=True):
    """The result of code_change on a copy of one process's state.

    `given_back`: whether the code_change of the downgrade has converted the new state back into a state equal to the
    old state. `given_back` is False if a downgrade would fail for this process, and None if that is unknown. `message`
    and `trace` describe a failure, or a state that was not given back. `remedy` says what the release has to change;
    it is None if the remedy is the same for every failure with this outcome.
    """

    pid: int
    name: str | None
    module: str
    outcome: RehearsalOutcome
    seconds: float
    before: Term
    after: Term | None = None
    message: str | None = None
    trace: tuple[str, ...] = ()
    given_back: bool | None = None
    remedy: str | None = None


class LostData(WireStruct, frozen=True):
    """A field that the default migration drops, because the class in the target release lacks it.

    `field` is "module:Class.field". `process` is the label of the first process that has the field, and `path` is the
    place in the state of that process. `objects` is the number of objects with the field. `with_data` is the number of
    objects with data in the field. If `back` is true, a rollback drops the field; otherwise the upgrade drops it.
    """

    field: str
    process: str
    path: str
    processes: int
    objects: int
    with_data: int
    back: bool = False


ValuePlace = Literal[
    "state",
    "state name",
    "message",
    "call",
    "timer",
    "timeout",
    "postponed event",
    "child arguments",
    "start arguments",
]
"""The place in which a process holds a value.

"message": its mailbox; "call": the arguments of the running callback; "timer": the message of a timer of `send_after`;
"timeout": the content of a state machine's timeout; "child arguments": the arguments with which a supervisor would
restart a child; "start arguments": the arguments with which a supervisor would call `children()` again.
"""
ValueOutcome = Literal["migrated", "blocked", "waits", "kept"]
"""The effect of an upgrade on a value whose class or function the target release replaces or lacks.

"migrated": code_change replaces the value; "blocked": the value would continue to use old code, so the upgrade is
refused; "waits": the upgrade is refused, but the value may be gone soon; "kept": the value continues to use old code,
and does no harm.
"""


class LiveValue(WireStruct, frozen=True):
    """Values of live processes whose class or function the target release replaces or lacks.

    One LiveValue is for all processes of one class that hold these values at the same kind of place, such as a timer.
    `pid`, `name` and `path` refer to the first process. `processes` is the number of processes. `code` is the class or
    function, "module:name", and `sort` says what the value is: "instance", "exception", "class", "function", "bound
    method", "coroutine" or "generator". `added`, `removed` and `changed` are names of fields, or of members of an
    enumeration. `gone` is true if the target release lacks the class or function. `detail` is the id of a child, or the
    name of a timeout.
    """

    pid: int
    name: str | None
    module: str
    place: ValuePlace
    path: str
    sort: str
    code: str
    outcome: ValueOutcome
    processes: int = 1
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: bool = False
    detail: str = ""


class RehearsedCall(WireStruct, frozen=True):
    """A function that instruction `step` applies and that failed in the copy of the node.

    The outcome is "unrehearsed" if the function, or an earlier instruction, needs the real node;
    `message` names the reason.
    """

    step: int
    function: str
    outcome: RehearsalOutcome
    message: str
    trace: tuple[str, ...] = ()


class Rehearsal(WireStruct, frozen=True):
    """The run of every code_change of an upgrade on a copy of the node at the time `at`.

    `stopped` is the time for which the node was stopped while the copy was made. `pause` is the total time of all
    code_changes. `around` is the rest of an install's pause: the time for suspending, switching, applied functions and
    resuming in the copy. `processes` is the number of processes with a code_change. Of these processes, `reached` were
    tried, `failed` would make the upgrade fail, and `unrehearsed` can't be tried. `not_given_back` is the number of
    states that the downgrade does not restore. `no_way_back` is the number of processes whose states the downgrade
    can't convert. `results` has at most 100 results, failures first. `calls`: the applied functions whose outcome is
    not "ok". `error` says why the rehearsal ended early; None if it ran to the end. `bodies` is the time that the
    bodies of the new modules took in the copy; an install stops the event loop for about this time. `bodies` is None if
    there are no bodies, or if they need the real node. `search` is the duration, in seconds, of the search for values
    of replaced code. `not_searched` is the number of processes whose values were not searched completely. `lost`: the
    fields that the default migration drops.
    """

    at: float
    seconds: float
    stopped: float
    pause: float
    processes: int
    reached: int
    failed: int = 0
    unrehearsed: int = 0
    not_given_back: int = 0
    no_way_back: int = 0
    results: tuple[RehearsalResult, ...] = ()
    error: str | None = None
    calls: tuple[RehearsedCall, ...] = ()
    around: float = 0.0
    bodies: float | None = 0.0
    not_searched: int = 0
    search: float = 0.0
    lost: tuple[LostData, ...] = ()


class Plan(WireStruct, frozen=True):
    """The effects of an upgrade or a downgrade on this node now.

    `point_of_no_return`: the number of `instructions` before that point. `configuration`: the changed parameters, as
    (parameter, before, after). `pause`: the estimated time for which processes are suspended. `irreversible`: effects
    that a failed install could not undo. `rehearsal` is None if the new code could not be loaded in the copy of the
    node. `files`: at most 100 changed data files of the applications. `live_values`: at most 50 values of replaced code
    that processes hold. `lost`: data that the upgrade would lose; `lost_on_way_back`: data that a rollback would lose.
    An operator has to consent to either loss. `hops`: if no appup leads to the target release directly, the releases to
    install one after the other; the last one is the target. `module_values`: at most 50 objects with data in global
    variables of replaced modules. `approval`: the approvals that the install has and still needs; None if it needs no
    approval. `stall`: a sentence about a long stop of the event loop, to which an operator has to consent.
    """

    id: str
    direction: Direction
    from_vsn: str
    to_vsn: str
    generation: int
    modules: tuple[PlannedModule, ...]
    processes: tuple[PlannedProcess, ...]
    instructions: tuple[str, ...]
    point_of_no_return: int
    configuration: tuple[tuple[str, str, str], ...]
    blockers: tuple[Blocker, ...]
    warnings: tuple[str, ...]
    way_back: bool
    nothing_to_do: bool = False
    children: tuple[PlannedChild, ...] = ()
    irreversible: tuple[str, ...] = ()
    pause: float | None = None
    rehearsal: Rehearsal | None = None
    files: tuple[PlannedFile, ...] = ()
    live_values: tuple[LiveValue, ...] = ()
    lost: tuple[str, ...] = ()
    lost_on_way_back: tuple[str, ...] = ()
    hops: tuple[str, ...] = ()
    module_values: tuple[PlannedModuleValue, ...] = ()
    approval: Approval | None = None
    stall: str | None = None
