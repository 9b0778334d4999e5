"""Upgrade and downgrade plans, and the results of their rehearsals."""

from __future__ import annotations

from typing import Literal

from .struct import Direction, ProcessKind, WireStruct
from .term import Term

RehearsalOutcome = Literal["ok", "raised", "wrong type", "no such state", "mutated", "hung", "died", "unrehearsed"]
"""The outcome of one process's code_change on a copy of its state.

"died": the code_change ended the copy of the node; "unrehearsed": it needs something that a rehearsal doesn't have.
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
    """A module in a plan. `needs`: the modules of the plan that its new version imports."""

    name: str
    application: str
    action: Literal["load", "add", "delete"]
    old_vsn: str | None
    new_vsn: str | None
    needs: tuple[str, ...] = ()


ChildChange = Literal["added", "replaced", "removed", "left out"]


class PlannedChild(WireStruct, frozen=True):
    """The change of one child of a supervisor that reads its child specifications again.

    `change`: "added" (without being started), "replaced" (gets another specification at its next start), "removed" (not
    in the new specifications; it runs until it is stopped), "left out" (not added again: it is temporary and has
    ended). `step`: the number, from 1, of the instruction that starts an added or stops a removed child. `unread`: the
    script doesn't let the supervisor read its specifications, so the change takes effect at the supervisor's next
    start.
    """

    supervisor: int
    supervisor_name: str | None
    id: str
    change: ChildChange
    step: int | None = None
    unread: bool = False


class RehearsalResult(WireStruct, frozen=True):
    """The result of code_change on a copy of one process's state.

    `given_back`: whether the code_change of the downgrade turned the new state into a state equal
    to the old one; also False if the way back would fail for this process; None if unknown. `message`
    and `trace` describe a failure or a state that was not given back.
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


class RehearsedCall(WireStruct, frozen=True):
    """The failure of a function that instruction `step` applies, in the copy of the node.

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

    `stopped` is the time for which the node was stopped while the copy was made. `pause` is the
    total time of all code_changes. `around` is the rest of an install's pause: the time that
    suspending, switching, applied functions and resuming took in the copy. `processes` is the
    number of processes with a code_change: `reached` were tried, `failed` would make the upgrade
    fail, and `unrehearsed` can't be tried. `not_given_back` states are not restored by the downgrade;
    `no_way_back` of the processes would make the way back fail. `results`: failures first, at most 100. `calls`: the
    applied functions whose outcome is not "ok". `error` is the reason for an early end, if any. `bodies` is the time
    that the bodies of the new modules took, for which an install stops the event loop; None if they were not executed
    in the copy, because there was none or they need the real node.
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


class Plan(WireStruct, frozen=True):
    """The effects of an upgrade or a downgrade on this node now.

    `point_of_no_return`: the number of `instructions` before that point. `configuration`: the changed parameters, as
    (parameter, before, after). `pause`: the estimated time for which processes are suspended. `irreversible`: effects
    that a failed install could not undo. `rehearsal` is None if the new code could not be loaded for it.
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
