"""The rehearsal itself, in the copy of the node: one code_change after the other, each behind the fence.

As the switch does it: the same class, the same arguments, the same state object, at the same place in the script.
"""

from __future__ import annotations

import inspect
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

from node_runtime.behaviours.behaviour import Behaviour
from node_runtime.behaviours.describe import Limits
from node_runtime.behaviours.fingerprint import Fingerprint, alike, fingerprint
from node_runtime.behaviours.gen_statem import has_state
from node_runtime.behaviours.kinds import Kinds, escape
from node_runtime.behaviours.rereading import take_new_class
from node_runtime.behaviours.shown import shown
from node_runtime.behaviours.supervisor import SupervisorProcess
from node_runtime.code import Batch
from node_runtime.protocol.messages import PlannedChild, RehearsalOutcome, Rehearsed, Term

from ..surroundings import Surroundings
from ..transition import Transition
from .copy import NOBODY, Bounds, Place, Tell
from .declared import fits, said
from .fence import Fence, NotRehearsable
from .roles import Roles
from .script import Part, Switch, acts

ROOM: Final = {"failed": 100, "unrehearsed": 100, "not given back": 50, "ok": 50}
"""How many processes of each sort are told of one by one."""
TICK: Final = 0.05
"""Seconds between two looks at the clock, and until code that swallows its interruption is interrupted again."""
MOST_PARTS: Final = 200_000
LOOKING_SECONDS: Final = 0.5
"""How long the parts of one state may take to be noted down."""
TELLING_SECONDS: Final = 0.05
FRAMES: Final = 4
"""How many of the innermost frames of an error are told."""
SHOWN: Final = Limits(depth=8, parts=50, terms=400, size=10_000, text=200, seconds=0.02)
UNSEEN: Final = Term(type="state", text="‹not looked at›")
_HERE: Final = str(Path(__file__).parent)


class Told(msgspec.Struct, forbid_unknown_fields=True):
    """How far the rehearsal is. Counts are of all so far, `results` and `children` are what is new."""

    processes: int = 0
    reached: int = 0
    failed: int = 0
    unrehearsed: int = 0
    not_given_back: int = 0
    not_compared: int = 0
    pause: float = 0.0
    results: list[Rehearsed] = []
    children: list[PlannedChild] = []
    over: bool = False
    error: str | None = None


class TooLong(BaseException):
    """What runs has had its time."""


class Wrong(Exception):
    """What a code_change returned can't be the state."""

    def __init__(self, outcome: RehearsalOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


@dataclass(slots=True)
class Attempt:
    """One process's code_change, as far as it came."""

    part: Part
    state: Any
    old_class: type[Behaviour]
    note: Fingerprint | None
    outcome: RehearsalOutcome = "ok"
    message: str | None = None
    trace: tuple[str, ...] = ()
    seconds: float = 0.0
    after: Any = None
    given_back: bool | None = None

    def sort(self) -> str:
        """How it counts."""
        if self.outcome in ("ok", "unrehearsed"):
            return "not given back" if self.given_back is False else self.outcome
        return "failed"

    def went(self, outcome: RehearsalOutcome, message: str, trace: tuple[str, ...] = ()) -> None:
        """It went otherwise than well."""
        self.outcome, self.message, self.trace = outcome, message, trace


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
    _fence: Fence = field(init=False)
    _armed: bool = False
    _since: float = 0.0
    _doing: str = ""
    _last: float = 0.0
    _room: dict[str, int] = field(default_factory=lambda: dict(ROOM))
    _kinds: Kinds = field(default_factory=Kinds)

    def run(self) -> None:
        """Rehearse everything and say how it went."""
        try:
            Surroundings().follow(self.transition.target, self.transition.configuration)
            signal.signal(signal.SIGALRM, self._too_long)
            signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
            self._fence = Fence()
            script = list(acts(self.transition))
            self.told.processes = sum(isinstance(act, Part) for act in script)
            self._say(at_once=True)
            for act in script:
                if isinstance(act, Switch):
                    self.batch.commit()
                    continue
                self.place.enter(int(act.process.pid))
                self._one(act)
                self.place.enter(NOBODY)
            self.told.over = True
        except BaseException as error:
            self.told.error = f"{type(error).__name__}: {error}"
        self._say(at_once=True)

    def _say(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._last > TELLING_SECONDS:
            self._last = now
            self.tell(msgspec.msgpack.encode(self.told))
            self.told.results, self.told.children = [], []

    # ------------------------------------------------------------------ one process

    def _one(self, part: Part) -> None:
        process = part.process
        state = process.raw_state()
        note = fingerprint(state, seconds=LOOKING_SECONDS, most=MOST_PARTS, kinds=self._kinds, alone=True)
        attempt = Attempt(part, state, type(process.instance), note)
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
        self._doing = "its code_change"
        try:
            with self._bounded():
                if isinstance(attempt.part.process, SupervisorProcess):
                    self._re_read(attempt, attempt.part.process)
                else:
                    self._change(attempt)
                    self._check(attempt)
        except Wrong as wrong:
            attempt.went(wrong.outcome, wrong.message)
        except TooLong:
            attempt.went("hung", f"{self._doing} has not ended within {self.bounds.each:g} s")
            if attempt.note is not None and attempt.note.held:  # nobody is here to let go of it
                attempt.went("unrehearsed", f"{attempt.message}, and a lock of its state was held at that moment")
        except MemoryError:
            extra = self.bounds.memory >> 20
            attempt.went("raised", f"{self._doing} needs more than {extra} MiB beyond what the node has")
        except BaseException as error:
            attempt.went("raised", f"{self._doing} raised {self._words(error)}", self._trace(error))
        if (touched := self._fence.take()) is not None:
            what = f"{self._doing} {touched}, which a rehearsal can't let it do"
            attempt.went("unrehearsed", what, attempt.trace)
        elif attempt.note is not None and not attempt.note.still_fits():
            changed = "its code_change changes the state that it is given"
            attempt.went("mutated", changed if attempt.message is None else f"{attempt.message}; {changed}")
        elif attempt.outcome == "ok" and attempt.part.process.kind != "supervisor" and self.transition.back is not None:
            self._give_back(attempt)

    def _change(self, attempt: Attempt) -> None:
        change = self.roles.of(attempt.part).change
        began = time.perf_counter()
        try:
            attempt.after = change(attempt.state)
        finally:
            attempt.seconds = time.perf_counter() - began

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
        self._doing = "the way down"
        back = self.roles.of(attempt.part).back
        try:
            with self._bounded():
                returned = attempt.after if back is None else back(attempt.after)
                attempt.given_back = alike(attempt.state, returned, seconds=LOOKING_SECONDS, most=MOST_PARTS)
                if attempt.given_back is False:
                    without = " has no code_change for it, and" if back is None else ""
                    attempt.message = f"the way down{without} does not give the same state back"
        except TooLong:
            attempt.given_back, attempt.message = False, f"the way down has not ended within {self.bounds.each:g} s"
        except BaseException as error:
            attempt.given_back, attempt.message = False, f"the way down raised {self._words(error)}"
            attempt.trace = self._trace(error)
        if self._fence.take() is not None:
            attempt.given_back, attempt.message, attempt.trace = None, None, ()

    def _re_read(self, attempt: Attempt, process: SupervisorProcess) -> None:
        self._doing = "its children()"
        table = attempt.state
        began = time.perf_counter()
        read = take_new_class(process)
        attempt.seconds = time.perf_counter() - began
        attempt.after = process.raw_state()
        removed = [id for id in read.kept if id in table.named]
        for change, ids in (("added", read.added), ("replaced", read.replaced), ("removed", removed)):
            self.told.children += [_child(process, id, change) for id in ids]
        self.told.children += [_child(process, id, "left out") for id in read.left_out]

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
            with self._aside():
                return shown(cls, state, SHOWN, self._kinds)
        except (Exception, TooLong, NotRehearsable):
            return UNSEEN

    def _words(self, error: BaseException) -> str:
        kind = type(error).__name__
        try:
            with self._aside():
                return escape(f"{kind}: {error}"[:500])
        except (Exception, TooLong, NotRehearsable):
            return kind

    def _trace(self, error: BaseException) -> tuple[str, ...]:
        """The innermost frames of the code that raised, with their lines."""
        frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(_HERE)]
        return tuple(escape(f"{one.filename}:{one.lineno} {one.name}: {one.line}"[:300]) for one in frames[-FRAMES:])

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """User code runs inside: behind the fence, and interrupted when it takes too long, again and again."""
        with self._fence:
            self.place.begin()
            self._since = time.monotonic()
            self._armed = True
            try:
                yield
            finally:
                self._armed = False

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """As `_bounded`, for what is not the code_change itself: what it touches says nothing of that."""
        before = self._fence.touched
        try:
            with self._bounded():
                yield
        finally:
            self._fence.touched = before

    def _too_long(self, number: int, frame: FrameType | None) -> None:
        if self._armed and time.monotonic() - self._since > self.bounds.each:
            raise TooLong


def _kind(value: object) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {escape(name[:100])}"


def _child(process: SupervisorProcess, id: str, change: Any) -> PlannedChild:
    return PlannedChild(supervisor=int(process.pid), supervisor_name=process.name, id=id, change=change)
