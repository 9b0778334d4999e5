"""The rehearsal itself, in the copy of the node: executes the new code, then runs one code_change after the other.

All of this runs in the sandbox. Each code_change runs as it would in the install: in the same class, with the same
arguments, with the state object of the process, and at the same place in the script.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, assert_never

import msgspec

from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.behaviours.show.describe import DescribeLimits
from node_runtime.behaviours.show.fingerprint import Fingerprint, fingerprint
from node_runtime.behaviours.show.secret_comparison import SecretComparison
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.behaviours.upgrade.live_processes import (
    Behaviour,
    Child,
    ChildSpecChanges,
    ChildTable,
    Hold,
    SupervisorProcess,
    adopt_current_class,
)
from node_runtime.code import Batch, BodyEffects, ThreadVariables, Version
from node_runtime.code.old.found_holder import FoundHolder
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import (
    ChildChange,
    PlannedChild,
    RehearsalResult,
    RehearsedCall,
    Term,
)
from node_runtime.releases.live_values import LiveValues
from node_runtime.releases.planning.app_env import ApplicationSnapshot
from node_runtime.releases.planning.transition import Transition

from .apply_calls import ApplyRehearsal
from .cautions import ScriptSettings, lowered_intensity
from .code_change_plan import ClassPlans
from .forked import NO_PROCESS, ProgressMarker, RehearsalLimits, SendMessage
from .guarded_call import RENDER_ERRORS, CallVerdict, GuardedCaller, WrongResult
from .losses import Losses
from .new_code import describe_code
from .new_modules.bodies import BodyRehearsal, PrepareCode
from .new_modules.module_values import with_module_values
from .report import Report
from .script_steps import (
    ApplyCall,
    ProcessCodeChange,
    RehearsalStep,
    SkippedStep,
    StaleSupervisor,
    SwitchStep,
    rehearsal_steps,
)
from .states.state_check import check_awaitable, check_state
from .way_back import FINGERPRINT_MAX_PARTS, FINGERPRINT_SECONDS, rehearse_way_back

MAX_RESULTS_BY_CATEGORY: Final = {"failed": 100, "unrehearsed": 100, "not given back": 50, "ok": 50}
"""At most this many processes of each category get a result."""
TRIAL_SECONDS: Final = 0.5
"""Processor time for trying the default migration of values for which the script has no code_change."""
SEND_INTERVAL_SECONDS: Final = 0.05
"""The minimum number of seconds between two reports that the copy sends."""
STATE_LIMITS: Final = DescribeLimits(depth=8, parts=50, terms=400, size=10_000, text=200, seconds=1.0)
"""The time limit is generous: no process waits for the copy, and a busy machine may not run the copy for a while."""
NOT_SHOWN: Final = Term(type="state", text="‹not shown›")


@dataclass(slots=True, kw_only=True)
class Attempt(CallVerdict):
    """The rehearsal of code_change for one process, with its result."""

    part: ProcessCodeChange
    state: Any
    old_class: type[Behaviour]
    before: Fingerprint | None
    seconds: float = 0.0
    after: Any = None
    given_back: bool | None = None
    secrets: SecretComparison = field(default_factory=SecretComparison)

    def category(self) -> str:
        """Return the category in which this code_change is counted, a key of MAX_RESULTS_BY_CATEGORY."""
        if self.outcome in ("ok", "unrehearsed"):
            return "not given back" if self.given_back is False else self.outcome
        return "failed"


FindHolders = Callable[[], dict[str, list[FoundHolder]]]
"""A function that returns, by module, what holds the version that was just replaced in the copy."""


@dataclass(slots=True)
class RehearsalRunner:
    """A rehearsal of a transition. Runs only in a copy of the node; afterwards, the copy can't be used any more."""

    transition: Transition
    running: Mapping[str, Version]
    new_code: Batch | PrepareCode
    limits: RehearsalLimits
    marker: ProgressMarker
    send: SendMessage
    bodies_only: bool
    find_holders: FindHolders
    threads: Sequence[ThreadVariables]
    managed: Iterable[str]
    report: Report = field(default_factory=Report)
    batch: Batch = field(init=False)
    plans: ClassPlans = field(init=False)
    live_values: LiveValues = field(init=False)
    _caller: GuardedCaller = field(init=False)
    _applies: ApplyRehearsal = field(init=False)
    _settings: ScriptSettings = field(init=False)
    _last_sent: float = 0.0
    _results_left: dict[str, int] = field(default_factory=lambda: dict(MAX_RESULTS_BY_CATEGORY))
    _readers: ValueReaders = field(default_factory=ValueReaders)
    _earlier: dict[str, dict[str, Any]] | None = None
    """The old namespaces of modules that the script has not loaded yet; None before the switch."""
    _new_states: dict[int, Any] = field(default_factory=dict)
    """The state of each process after its last code_change, by pid, if the script has another code_change for it."""
    _losses: Losses = field(default_factory=Losses)

    def run(self) -> None:
        """Rehearse the whole script and send reports. If the rehearsal itself fails, the last report has the error."""
        try:
            self._caller = GuardedCaller(self.limits, self.marker)
            script = [] if self.bodies_only else list(rehearsal_steps(self.transition))
            self.report.processes = sum(isinstance(step, ProcessCodeChange) for step in script)
            self._send(at_once=True)
            batch = self.new_code if isinstance(self.new_code, Batch) else self._execute_bodies(self.new_code)
            if batch is not None and not self.bodies_only:
                releases = self.transition.left.vsn, self.transition.target.vsn
                self.batch, self.plans = batch, ClassPlans(batch, self.running, releases, self.managed)
                self._search_values()
                self._rehearse_script(script)
                if self.live_values.has_migrated():
                    self.report.live_values = self.live_values.conclude()
            self.report.lost = self._losses.found()
            self.report.complete = True
        except BaseException as error:
            self.report.error = shown(describe_reason(error))
        self._send(at_once=True)

    def _execute_bodies(self, prepare: PrepareCode) -> Batch | None:
        """Execute the new code; return None if it can't be loaded at all, or can't be loaded in a copy."""
        self.report.bodies = None
        effects = None if self.bodies_only else BodyEffects()
        bodies = BodyRehearsal(self._caller, self.marker, self.limits.body_seconds, self._send_body, effects)
        batch = bodies.run(prepare)
        self.report.refusal, self.report.error = bodies.refusal, bodies.unrehearsed
        if batch is not None:
            self.report.bodies = bodies.seconds
            if effects is not None:
                code = describe_code(self.transition, batch, effects, bodies.opens)
                self.report.code = with_module_values(code, batch, partial(bodies.repeat, batch))
        return batch

    def _search_holders(self) -> None:
        try:
            self.report.stays = self.find_holders()
        except Exception as error:  # an object on the heap may raise any; the other findings don't need this search
            self.report.cautions.append(
                f"The search for objects that will still use old code failed ({shown(describe_reason(error))}); the "
                "plan names only tasks, threads and processes that run old code."
            )

    def _search_values(self) -> None:
        """Search for values of replaced or deleted code, and report them as they are before any code_change."""
        self.live_values = LiveValues(self.transition, self.running, self.batch, self._guard, self.threads)
        self.live_values.search(runtime())
        for process, lost in self.live_values.lost():
            self._losses.add(process, [lost], back=False)
        self.report.live_values = self.live_values.conclude()
        self._send(at_once=True)

    def _guard(self, work: Callable[[], object]) -> bool:
        verdict = CallVerdict()
        longest = max(TRIAL_SECONDS, self.limits.call_seconds)
        self._caller.call(verdict, "the default migration", work, TRIAL_SECONDS, longest=longest)
        return verdict.outcome == "ok"

    def _rehearse_script(self, script: Iterable[RehearsalStep]) -> None:
        with self._counted_as_pause():
            ApplicationSnapshot().adopt(self.transition.target, self.transition.configuration)
            self._hold_and_release()
        self._applies = ApplyRehearsal(self._caller, self.marker, self._add_call)
        self._settings = ScriptSettings()
        for step in script:
            self._carry_out(step)
        self.report.cautions += self._settings.warnings()
        self._applies.undo()

    def _add_call(self, call: RehearsedCall) -> None:
        self.report.calls.append(call)  # `_send` replaces the list, so its `append` can't be passed instead

    def _send_body(self, module: str | None) -> None:
        self.report.body = module
        self._send(at_once=True)

    def _carry_out(self, step: RehearsalStep) -> None:
        match step:
            case ProcessCodeChange():
                self.marker.enter(int(step.process.pid))
                self._rehearse(step)
                self.marker.enter(NO_PROCESS)
            case SwitchStep():
                if self._earlier is None:
                    with self._settings.not_counted(), self._counted_as_pause():
                        self.batch.commit()
                    self.live_values.convert_pending(runtime())
                    self._search_holders()
                    self._earlier = self.plans.earlier()
                self._earlier.pop(step.module, None)
            case ApplyCall():
                with self._counted_as_pause():
                    self._applies.call(step, self._earlier or {})
            case SkippedStep():
                self._applies.skip(step.step)
            case StaleSupervisor():
                self._preview_children(step.process)
            case _:
                assert_never(step)

    @contextmanager
    def _counted_as_pause(self) -> Iterator[None]:
        """Add the duration of the `with` block to `around`: the part of the pause in which no code_change runs."""
        began = time.perf_counter()
        yield
        self.report.around += time.perf_counter() - began

    def _hold_and_release(self) -> None:
        """Suspend and resume the idle processes, in order to measure how long that takes in the install."""
        if modules := frozenset(self.transition.suspended):
            hold = Hold("rehearsal")
            hold.hold_idle(modules)
            hold.release()

    def _send(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._last_sent > SEND_INTERVAL_SECONDS:
            self._last_sent = now
            self.send(msgspec.msgpack.encode(self.report))
            self.report.results, self.report.children, self.report.calls = [], [], []
            self.report.cautions, self.report.code, self.report.live_values = [], None, None

    # ------------------------------------------------------------------ one process

    def _rehearse(self, part: ProcessCodeChange) -> None:
        process = part.process
        state = self._new_states.get(process.pid, process.raw_state())
        before = fingerprint(
            state, seconds=FINGERPRINT_SECONDS, max_parts=FINGERPRINT_MAX_PARTS, readers=self._readers, alone=True
        )
        attempt = Attempt(part=part, state=state, old_class=type(process.instance), before=before)
        term = self._render(attempt.old_class, state, attempt.secrets) if self._results_left["ok"] else None
        self._try(attempt)
        category = attempt.category()
        self._count(attempt, category)
        first = self._results_left[category] == MAX_RESULTS_BY_CATEGORY[category]
        if self._results_left[category]:
            self._results_left[category] -= 1
            self.report.results.append(self._result(attempt, term))
        self._send(at_once=first and category == "failed")

    def _try(self, attempt: Attempt) -> None:
        process, before = attempt.part.process, attempt.before
        if isinstance(process, SupervisorProcess):
            self._caller.call(attempt, "its children()", lambda: self._reload_child_specs(attempt, process))
        else:
            self._caller.call(attempt, "its code_change", lambda: self._change(attempt))
        if attempt.outcome != "unrehearsed" and before is not None and not before.still_fits():
            changed = "its code_change mutates the old state"
            attempt.record("mutated", changed if attempt.message is None else f"{attempt.message}; {changed}")
        elif attempt.outcome == "ok":
            self.live_values.check_migrated(process, attempt.after)
        if attempt.outcome == "ok" and process.kind != "supervisor":
            if not attempt.part.is_last:
                self._new_states[process.pid] = attempt.after
            elif self.transition.script_back is not None:
                self._try_way_back(attempt)

    def _change(self, attempt: Attempt) -> None:
        plan, process = self.plans.find(attempt.part), attempt.part.process
        began = time.perf_counter()
        try:
            attempt.after, lost = plan.change(attempt.state)
        finally:
            attempt.seconds = time.perf_counter() - began
        if attempt.part.is_last:
            check_state(process, attempt.after, plan.new, process.raw_state(), plan.running, "its code_change")
        else:  # the next code_change may take a state of any type
            check_awaitable(attempt.after, "its code_change")
        self._losses.add(process, lost, back=False)

    def _try_way_back(self, attempt: Attempt) -> None:
        plan, part = self.plans.find(attempt.part), attempt.part
        old = part.process.raw_state()  # before the first code_change of the script
        back = rehearse_way_back(self._caller, plan, part, old, attempt.after, self._readers)
        attempt.given_back, attempt.message, attempt.trace = back.given_back, back.message, back.trace
        self.report.no_way_back += back.failed
        self._losses.add(part.process, back.lost, back=True)

    def _reload_child_specs(self, attempt: Attempt, process: SupervisorProcess) -> None:
        began = time.perf_counter()
        read = adopt_current_class(process)
        attempt.seconds = time.perf_counter() - began
        attempt.after = process.raw_state()
        self._add_children(process, read, attempt.state, unread=False)
        if caution := lowered_intensity(process, attempt.state, attempt.after):
            self.report.cautions.append(caution)
        for id in (*read.added, *read.replaced):
            self._check_start(attempt.after.find(id) or attempt.after, id)

    def _check_start(self, holder: Any, id: str) -> None:
        """Check that the start function of a child exists. Raises WrongResult."""
        start = (holder.spec if isinstance(holder, Child) else holder.template).start
        try:
            found = resolve_reference(start)
        except (LookupError, ImportError):
            found = None
        if not callable(found):
            raise WrongResult("raised", f"its children() starts {id} with {start}, which is not a function")

    def _preview_children(self, process: SupervisorProcess) -> None:
        """Report the changes in children() of a supervisor that the script doesn't migrate."""
        table = process.raw_state()

        def read() -> None:
            self._add_children(process, adopt_current_class(process), table, unread=True)

        self._caller.call(CallVerdict(), "its children()", read)

    def _add_children(
        self, process: SupervisorProcess, read: ChildSpecChanges, table: ChildTable, *, unread: bool
    ) -> None:
        removed = [id for id in read.kept if id in table.class_child_ids]
        found: tuple[tuple[ChildChange, Iterable[str]], ...] = (
            ("added", read.added), ("replaced", read.replaced), ("removed", removed), ("left out", read.left_out),
        )  # fmt: skip
        self.report.children += [
            PlannedChild(supervisor=int(process.pid), supervisor_name=process.name, id=id, change=change, unread=unread)
            for change, ids in found
            for id in ids
        ]

    # ------------------------------------------------------------------ the report

    def _count(self, attempt: Attempt, category: str) -> None:
        report = self.report
        report.reached += 1
        report.pause += attempt.seconds
        report.unrehearsed += category == "unrehearsed"
        report.failed += category == "failed"
        report.not_given_back += category == "not given back"
        report.not_compared += attempt.before is None

    def _result(self, attempt: Attempt, before: Term | None) -> RehearsalResult:
        process = attempt.part.process
        if before is None:
            mutated = attempt.outcome == "mutated"
            before = NOT_SHOWN if mutated else self._render(attempt.old_class, attempt.state, attempt.secrets)
        after = None
        # For a supervisor, the changes of its children are reported instead of its new state.
        if attempt.outcome == "ok" and process.kind != "supervisor":
            after = self._render(self.plans.find(attempt.part).new.cls, attempt.after, attempt.secrets.compare())
        elif attempt.outcome == "mutated":
            after = self._render(attempt.old_class, attempt.state, attempt.secrets.compare())
        return RehearsalResult(
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
            remedy=attempt.remedy,
        )

    def _render(self, cls: type[Behaviour], state: object, secrets: SecretComparison) -> Term:
        try:
            with self._caller.ignoring_violations():
                return describe_state(cls, state, STATE_LIMITS, self._readers, secrets=secrets)
        except RENDER_ERRORS:
            return NOT_SHOWN
