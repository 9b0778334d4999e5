"""The rehearsal itself, in the copy of the node: one code_change after the other, each behind the fence.

As the switch does it: the same class, the same arguments, the same state object, at the same place in the script.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from node_runtime.behaviours.show.describe import Limits
from node_runtime.behaviours.show.fingerprint import Fingerprint, alike, fingerprint
from node_runtime.behaviours.show.state_view import shown
from node_runtime.behaviours.show.value_readers import Kinds, escape
from node_runtime.behaviours.starting import resolve
from node_runtime.behaviours.upgrade.live_processes import (
    Behaviour,
    Child,
    Hold,
    ReRead,
    SupervisorProcess,
    Table,
    take_new_class,
)
from node_runtime.code import Batch
from node_runtime.gen_statem import has_state
from node_runtime.protocol.messages import ChildChange, PlannedChild, Rehearsed, RehearsedCall, Term
from node_runtime.releases.install.app_env import Surroundings
from node_runtime.releases.planning.transition import Transition

from .apply_calls import Applied
from .code_change_plan import Roles
from .declared_state import fits, said
from .forked import NOBODY, Bounds, Place, Tell
from .guarded_call import UNSHOWN, Trial, Verdict, Wrong
from .script_steps import Act, Call, Part, Skipped, Switch, Unread, acts, changes

ROOM: Final = {"failed": 100, "unrehearsed": 100, "not given back": 50, "ok": 50}
"""How many processes of each sort are told of one by one."""
MOST_PARTS: Final = 200_000
LOOKING_SECONDS: Final = 0.5
"""How long the parts of one state may take to be noted down."""
TELLING_SECONDS: Final = 0.05
SHOWN: Final = Limits(depth=8, parts=50, terms=400, size=10_000, text=200, seconds=1.0)
"""Here nobody waits for it, and a busy machine may let the copy wait for long."""
UNSEEN: Final = Term(type="state", text="‹not looked at›")


class Told(msgspec.Struct, forbid_unknown_fields=True):
    """How far the rehearsal is. Counts are of all so far, `results` and `children` are what is new."""

    processes: int = 0
    reached: int = 0
    failed: int = 0
    unrehearsed: int = 0
    not_given_back: int = 0
    not_compared: int = 0
    pause: float = 0.0
    around: float = 0.0
    results: list[Rehearsed] = []
    children: list[PlannedChild] = []
    calls: list[RehearsedCall] = []
    over: bool = False
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Attempt(Verdict):
    """One process's code_change, as far as it came."""

    part: Part
    state: Any
    old_class: type[Behaviour]
    note: Fingerprint | None
    seconds: float = 0.0
    after: Any = None
    given_back: bool | None = None

    def sort(self) -> str:
        """How it counts."""
        if self.outcome in ("ok", "unrehearsed"):
            return "not given back" if self.given_back is False else self.outcome
        return "failed"


@dataclass(slots=True)
class Play:
    """One rehearsal of a transition. To be run in the copy only: it uses it up."""

    transition: Transition
    batch: Batch
    roles: Roles
    bounds: Bounds
    place: Place
    tell: Tell
    told: Told = field(default_factory=Told)
    _trial: Trial = field(init=False)
    _applied: Applied = field(init=False)
    _last: float = 0.0
    _room: dict[str, int] = field(default_factory=lambda: dict(ROOM))
    _kinds: Kinds = field(default_factory=Kinds)
    _earlier: dict[str, dict[str, Any]] | None = None
    """Once the modules have switched: the namespaces of those that the script has not loaded yet."""
    _made: dict[int, Any] = field(default_factory=dict)
    _often: frozenset[str] = frozenset()
    """The modules with several code_changes; each goes on with what the one before has made."""

    def run(self) -> None:
        """Rehearse everything and say how it went."""
        try:
            with self._around():
                Surroundings().follow(self.transition.target, self.transition.configuration)
                self._hold_and_let_go()
            self._trial = Trial(self.bounds, self.place)
            self._applied = Applied(self._trial, self.place, self._tell_of_call)
            script = list(acts(self.transition))
            counted = Counter(change.module for change in changes(self.transition.script))
            self._often = frozenset(module for module, times in counted.items() if times > 1)
            self.told.processes = sum(isinstance(act, Part) for act in script)
            self._say(at_once=True)
            for act in script:
                self._act(act)
            self._applied.undo()
            self.told.over = True
        except BaseException as error:
            self.told.error = f"{type(error).__name__}: {error}"
        self._say(at_once=True)

    def _act(self, act: Act) -> None:
        match act:
            case Part():
                self.place.enter(int(act.process.pid))
                self._one(act)
                self.place.enter(NOBODY)
            case Switch():
                if self._earlier is None:
                    with self._around():
                        self.batch.commit()
                    self._earlier = self.roles.earlier()
                self._earlier.pop(act.module, None)
            case Call():
                with self._around():
                    self._applied.call(act, self._earlier or {})
            case Skipped():
                self._applied.skip(act.step)
            case Unread():
                self._peek(act.process)

    def _tell_of_call(self, call: RehearsedCall) -> None:
        self.told.calls.append(call)

    @contextmanager
    def _around(self) -> Iterator[None]:
        """What runs inside takes its time in the install's pause, beside the code_changes."""
        began = time.perf_counter()
        yield
        self.told.around += time.perf_counter() - began

    def _hold_and_let_go(self) -> None:
        """What the install does to all whom it suspends; here to those that are idle."""
        modules = frozenset(self.transition.suspended)
        if modules:
            hold = Hold("rehearsal")
            hold.hold_idle(modules)
            hold.release()

    def _say(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._last > TELLING_SECONDS:
            self._last = now
            self.tell(msgspec.msgpack.encode(self.told))
            self.told.results, self.told.children, self.told.calls = [], [], []

    # ------------------------------------------------------------------ one process

    def _one(self, part: Part) -> None:
        process = part.process
        state = self._made.get(process.pid, process.raw_state())
        note = fingerprint(state, seconds=LOOKING_SECONDS, max_parts=MOST_PARTS, kinds=self._kinds, alone=True)
        attempt = Attempt(part=part, state=state, old_class=type(process.instance), note=note)
        before = self._shown(attempt.old_class, state) if self._room["ok"] else None
        self._try(attempt)
        sort = attempt.sort()
        self._count(attempt, sort)
        first = self._room[sort] == ROOM[sort]
        if self._room[sort]:
            self._room[sort] -= 1
            self.told.results.append(self._result(attempt, before))
        self._say(at_once=first and sort == "failed")

    def _try(self, attempt: Attempt) -> None:
        process, note = attempt.part.process, attempt.note
        if isinstance(process, SupervisorProcess):
            self._trial.run(attempt, "its children()", lambda: self._re_read(attempt, process))
        elif self._trial.run(attempt, "its code_change", lambda: self._change(attempt)) and note and note.held:
            # Nobody is here to let go of it.
            attempt.went("unrehearsed", f"{attempt.message}, and a lock of its state was held at that moment")
        if attempt.outcome != "unrehearsed" and note is not None and not note.still_fits():
            changed = "its code_change changes the state that it is given"
            attempt.went("mutated", changed if attempt.message is None else f"{attempt.message}; {changed}")
        elif attempt.outcome == "ok" and process.kind != "supervisor":
            if attempt.part.change.module in self._often:
                self._made[process.pid] = attempt.after
            if self.transition.script_back is not None:
                self._give_back(attempt)

    def _change(self, attempt: Attempt) -> None:
        change = self.roles.of(attempt.part).change
        began = time.perf_counter()
        try:
            attempt.after = change(attempt.state)
        finally:
            attempt.seconds = time.perf_counter() - began
        self._check(attempt)

    def _check(self, attempt: Attempt) -> None:
        """Whether the new state is one."""
        role, after = self.roles.of(attempt.part), attempt.after
        if inspect.isawaitable(after):
            if inspect.iscoroutine(after):
                after.close()
            attempt.after = None
            raise Wrong("wrong type", "its code_change is async: nothing may run while code is switched")
        value, was = after, attempt.state
        if attempt.part.process.kind == "gen_statem":
            if not (isinstance(after, tuple) and len(after) == 2):
                raise Wrong("wrong type", f"its code_change returned {_kind(after)}; it returns (state, data)")
            if not has_state(role.target, after[0]):
                name, vsn = escape(str(after[0])[:100]), self.transition.target.vsn
                raise Wrong("no such state", f"its code_change returned state {name}, which {vsn} does not define")
            value, was = after[1], attempt.state[1]
        # A class that doesn't keep to its own declaration can't be measured by the next one.
        if not fits(value, role.declared) and fits(was, role.held):
            declared = f"{role.target.__qualname__} is declared with {said(role.declared)}"
            raise Wrong("wrong type", f"its code_change returned {_kind(value)}; {declared}")

    def _give_back(self, attempt: Attempt) -> None:
        """Whether the way down makes the same state of the new one again."""
        back = self.roles.of(attempt.part).back
        verdict = Verdict()

        def go() -> None:
            returned = attempt.after if back is None else back(attempt.after)
            attempt.given_back = alike(attempt.state, returned, seconds=LOOKING_SECONDS, max_parts=MOST_PARTS)
            if attempt.given_back is False:
                without = " has no code_change for it, and" if back is None else ""
                attempt.message = f"the way down{without} does not give the same state back"

        self._trial.run(verdict, "the way down", go)
        if verdict.outcome == "unrehearsed":
            attempt.given_back, attempt.message = None, None
        elif verdict.outcome != "ok":
            attempt.given_back, attempt.message, attempt.trace = False, verdict.message, verdict.trace

    def _re_read(self, attempt: Attempt, process: SupervisorProcess) -> None:
        began = time.perf_counter()
        read = take_new_class(process)
        attempt.seconds = time.perf_counter() - began
        attempt.after = process.raw_state()
        self._tell_of_children(process, read, attempt.state, unread=False)
        for id in (*read.added, *read.replaced):
            self._check_start(attempt.after.find(id) or attempt.after, id)

    def _check_start(self, holder: Any, id: str) -> None:
        """Whether what starts a child exists."""
        start = (holder.spec if isinstance(holder, Child) else holder.template).start
        try:
            found = resolve(start)
        except (LookupError, ImportError):
            found = None
        if not callable(found):
            raise Wrong("raised", f"its children() name {start} to start {id}, which is no function")

    def _peek(self, process: SupervisorProcess) -> None:
        """What a supervisor that is not read again would make of its children."""
        table = process.raw_state()

        def look() -> None:
            self._tell_of_children(process, take_new_class(process), table, unread=True)

        self._trial.run(Verdict(), "its children()", look)

    def _tell_of_children(self, process: SupervisorProcess, read: ReRead, table: Table, *, unread: bool) -> None:
        removed = [id for id in read.kept if id in table.named]
        found: tuple[tuple[ChildChange, Iterable[str]], ...] = (
            ("added", read.added), ("replaced", read.replaced), ("removed", removed), ("left out", read.left_out),
        )  # fmt: skip
        self.told.children += [
            PlannedChild(supervisor=int(process.pid), supervisor_name=process.name, id=id, change=change, unread=unread)
            for change, ids in found
            for id in ids
        ]

    # ------------------------------------------------------------------ what is said of it

    def _count(self, attempt: Attempt, sort: str) -> None:
        told = self.told
        told.reached += 1
        told.pause += attempt.seconds
        told.unrehearsed += sort == "unrehearsed"
        told.failed += sort == "failed"
        told.not_given_back += sort == "not given back"
        told.not_compared += attempt.note is None

    def _result(self, attempt: Attempt, before: Term | None) -> Rehearsed:
        process = attempt.part.process
        if before is None:
            before = UNSEEN if attempt.outcome == "mutated" else self._shown(attempt.old_class, attempt.state)
        after = None
        if attempt.outcome == "ok" and process.kind != "supervisor":  # its children are told of
            after = self._shown(self.roles.of(attempt.part).target, attempt.after)
        elif attempt.outcome == "mutated":
            after = self._shown(attempt.old_class, attempt.state)
        return Rehearsed(
            pid=int(process.pid),
            name=process.name,
            module=attempt.part.change.module,
            outcome=attempt.outcome,
            seconds=attempt.seconds,
            before=before,
            after=after,
            message=attempt.message,
            trace=attempt.trace,
            given_back=attempt.given_back,
        )

    def _shown(self, cls: type[Behaviour], state: object) -> Term:
        try:
            with self._trial.aside():
                return shown(cls, state, SHOWN, self._kinds)
        except UNSHOWN:
            return UNSEEN


def _kind(value: object) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {escape(name[:100])}"
