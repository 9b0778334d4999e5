"""What going to another release would do to a node now, and how its rehearsal went."""

from __future__ import annotations

from typing import Literal

from .struct import Direction, Kind, Struct
from .term import Term

RehearsalOutcome = Literal["ok", "raised", "wrong type", "no such state", "mutated", "hung", "died", "unrehearsed"]
"""How one process's code_change went on a copy of its state.

"died": it ended the copy of the node; "unrehearsed": it wants something that is not there in a rehearsal.
"""


class Blocker(Struct, frozen=True):
    """Why a plan can't be carried out now. `transient` ones may pass by themselves: see `--wait`."""

    reason: str
    remedy: str
    pid: int | None = None
    transient: bool = False


class PlannedProcess(Struct, frozen=True):
    """What the plan does to one live process.

    `action`: "load" (new code at its next message), "migrate" (suspended, code_change), "suspend" (suspended,
    new code, same state), "stop" (ended in order by instruction `step`) or "kill" (its code is purged brutally).
    """

    pid: int
    name: str | None
    module: str
    action: Literal["load", "suspend", "migrate", "stop", "kill"]
    kind: Kind = "gen_server"
    step: int | None = None


class PlannedModule(Struct, frozen=True):
    """What the plan does to one module. `needs`: the modules of the plan that its new version imports."""

    name: str
    application: str
    action: Literal["load", "add", "delete"]
    old_vsn: str | None
    new_vsn: str | None
    needs: tuple[str, ...] = ()


ChildChange = Literal["added", "replaced", "removed", "left out"]


class PlannedChild(Struct, frozen=True):
    """What a supervisor that reads its child specifications anew makes of one child.

    `change`: "added" (not started by that), "replaced" (another specification from its next start on), "removed" (the
    new specification doesn't name it; it runs on until it is stopped), "left out" (temporary, and ended already).
    `step`: the number, from 1, of the instruction that starts an added or stops a removed one. `unread`: the script
    doesn't let the supervisor read its specifications, so that this is so from the supervisor's next start on.
    """

    supervisor: int
    supervisor_name: str | None
    id: str
    change: ChildChange
    step: int | None = None
    unread: bool = False


class Rehearsed(Struct, frozen=True):
    """How code_change went on a copy of one process's state. `message` and `trace` say what went wrong, and where.

    `given_back`: whether the way down made the same state of the new one again; None if that is not known.
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


class RehearsedCall(Struct, frozen=True):
    """How a function that instruction `step` applies went in the copy of the node, if not well.

    "unrehearsed": it, or something before it, wants the node; `message` says what.
    """

    step: int
    function: str
    outcome: RehearsalOutcome
    message: str
    trace: tuple[str, ...] = ()


class Rehearsal(Struct, frozen=True):
    """Every code_change of an upgrade, run on a copy of the node at `at`.

    `stopped` is how long the node stood still for the copy to be made, `pause` how long all code_changes took together,
    `around` what an install's pause has beside them: holding, switching and resuming, as it was in the copy.
    Of `processes`, `reached` were tried; `failed` would fail the upgrade, and `unrehearsed` can't be tried.
    `results`: those that did not go well first, at most 100. `calls`: applied functions that did not go well.
    `error` says why it ended early, if it did.
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
    results: tuple[Rehearsed, ...] = ()
    error: str | None = None
    calls: tuple[RehearsedCall, ...] = ()
    around: float = 0.0


class Plan(Struct, frozen=True):
    """What an upgrade or a downgrade would do to this node now.

    `point_of_no_return`: so many of `instructions` stand before it. `configuration`: (parameter, before, after).
    `pause`: an estimate for the time that processes are suspended. `irreversible`: what a failed install could not
    put back. `rehearsal` is None if the new code could not be loaded for it.
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
