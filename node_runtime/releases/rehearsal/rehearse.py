"""The node's side of a rehearsal: starts the copy, reads its reports, and describes the result for plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from node_runtime.code import Batch, CodeServer, running_code, thread_values_read, thread_variables
from node_runtime.code.old.found_holder import FoundHolder
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import (
    Blocker,
    PlannedChild,
    Rehearsal,
    RehearsalOutcome,
    RehearsalResult,
    RehearsedCall,
)
from node_runtime.releases.files.relup_instructions import Apply
from node_runtime.releases.live_values import LiveValuesFound
from node_runtime.releases.planning import affected
from node_runtime.releases.planning.app_env import files_of_target
from node_runtime.releases.planning.transition import Transition, cold_remedy

from . import script_steps
from .forked import (
    BODIES,
    NO_PROCESS,
    CopyEnd,
    CopyNotStarted,
    ProgressMarker,
    RehearsalLimits,
    SendMessage,
    run_in_forked_copy,
)
from .new_code import NewCode
from .new_modules.bodies import LoadRefusal, PrepareCode
from .remedies import REMEDIES, REMEDIES_LOAD, REMEDY_CALL, REMEDY_CHILDREN, REMEDY_REGISTRY
from .report import Report
from .runner import NOT_SHOWN, RehearsalRunner

HOLDER_SECONDS: Final = 3.0
"""The time in seconds for which a rehearsal searches for what will stay in old code."""
MEMORY_LIMIT: Final = 1 << 30
"""Bytes that a rehearsal may use on top of the node's memory."""
MAX_RESULTS: Final = 100
"""At most this many processes of a rehearsal get a result."""
MAX_BLOCKERS: Final = 20
"""At most this many failing processes get a blocker each."""
CONSENT: Final = "pass --unrehearsed to proceed anyway"
NO_VALUES: Final = LiveValuesFound()

ProgressCallback = Callable[[int, int], None]
"""A function that gets the number of processes rehearsed so far, and the number of processes to rehearse in all."""


class RehearsalEnd(msgspec.Struct, frozen=True):
    """The result of a rehearsal.

    `children` are the changes of supervisors' children. `not_compared` is the number of states that were too large to
    check for mutation. `code` describes the new code; it is None if no copy of the node has executed the code.
    `refusal` says why the new code can't be loaded. `cautions` are sentences about facts that don't block the upgrade.
    `live_values` are the values of replaced or deleted code that live processes hold. `stays` has, by module, what will
    stay in old code.
    """

    rehearsal: Rehearsal
    children: tuple[PlannedChild, ...] = ()
    not_compared: int = 0
    code: NewCode | None = None
    refusal: Blocker | None = None
    cautions: tuple[str, ...] = ()
    live_values: LiveValuesFound = NO_VALUES
    stays: Mapping[str, Sequence[FoundHolder]] = msgspec.field(default_factory=dict)


def is_due(transition: Transition) -> bool:
    """Return whether an install has something to rehearse.

    It has if its script replaces, removes or migrates a module, or applies a function of the release.
    """
    replaces = any(module in transition.left.sources for module in transition.loaded)
    return replaces or bool(transition.removed or transition.migrated) or script_steps.applies_functions(transition)


async def rehearse(
    transition: Transition,
    new_code: Batch | PrepareCode,
    code: CodeServer,
    on_progress: ProgressCallback,
    *,
    bodies_only: bool = False,
) -> RehearsalEnd:
    """Rehearse the transition in a forked copy of the node. The node itself is not changed.

    `new_code` is the code that the node has executed already, or the function that executes it in the copy. With
    `bodies_only`, the copy only executes the bodies of the new modules.
    """
    if isinstance(new_code, Batch) and not is_due(transition):
        return RehearsalEnd(Rehearsal(at=time.time(), seconds=0.0, stopped=0.0, pause=0.0, processes=0, reached=0))
    at, began = time.time(), time.perf_counter()
    node = transition.configuration.node
    if node.rehearsal == "off":
        return _unrehearsed(transition, at, "`rehearsal` in node.toml is off", executed=isinstance(new_code, Batch))
    modules = (*transition.migrated, *transition.loaded, *transition.removed)
    running = {module: version for module in modules if (version := code.versions(module)[0]) is not None}
    limits = RehearsalLimits(node.rehearsal, node.code_change, node.prepare, MEMORY_LIMIT)
    marker, receiver = ProgressMarker(), Receiver(on_progress)

    def find_holders(code_at_fork: frozenset[int]) -> dict[str, list[FoundHolder]]:
        # An install doesn't need the search, because the plan has already reported what was found.
        planned = [] if isinstance(new_code, Batch) else [*transition.loaded, *transition.removed]
        return code.holders_here(planned, HOLDER_SECONDS, code_at_fork)

    def prepare() -> Callable[[SendMessage], None]:
        threads, search = thread_variables(), partial(find_holders, running_code())

        def work(send: SendMessage) -> None:
            with files_of_target(code, transition.left, transition.target):
                args = transition, running, new_code, limits, marker, send, bodies_only, search, threads
                RehearsalRunner(*args, managed=code.modules).run()

        return work

    try:
        with thread_values_read(running.values()):
            copy = await run_in_forked_copy(prepare, receiver.receive, marker, limits)
        early = None if receiver.report.complete else _ended_early(transition, marker, limits, receiver, copy)
    except CopyNotStarted as failure:
        return _unrehearsed(transition, at, str(failure), executed=isinstance(new_code, Batch))
    finally:
        marker.close()
    report = receiver.report
    refusal = early if isinstance(early, LoadRefusal) else report.refusal
    results = sorted((*receiver.results, *((early,) if isinstance(early, RehearsalResult) else ())), key=_rank)
    unrehearsed = isinstance(early, RehearsalResult) and early.outcome == "unrehearsed"
    rehearsal = Rehearsal(
        at=at,
        seconds=time.perf_counter() - began,
        stopped=copy.stopped,
        pause=report.pause,
        around=report.around,
        processes=report.processes if report.complete else max(report.processes, 1),
        reached=report.reached + isinstance(early, RehearsalResult),
        failed=report.failed + (isinstance(early, RehearsalResult) and not unrehearsed),
        unrehearsed=report.unrehearsed + unrehearsed,
        not_given_back=report.not_given_back,
        no_way_back=report.no_way_back,
        results=tuple(results[:MAX_RESULTS]),
        error=early if isinstance(early, str) else report.error,
        calls=(*receiver.calls, *((early,) if isinstance(early, RehearsedCall) else ())),
        bodies=report.bodies,
        not_searched=receiver.live_values.not_searched,
        search=receiver.live_values.seconds,
        lost=tuple(report.lost),
    )
    blocker = None if refusal is None else Blocker(reason=refusal.reason, remedy=_load_remedy(refusal, transition))
    return RehearsalEnd(
        rehearsal,
        children=tuple(receiver.children),
        not_compared=report.not_compared,
        code=receiver.code,
        refusal=blocker,
        cautions=tuple(receiver.cautions),
        live_values=receiver.live_values,
        stays=report.stays,
    )


def _load_remedy(refusal: LoadRefusal, transition: Transition) -> str:
    remedy = REMEDIES_LOAD[refusal.kind]
    if refusal.kind == "address in use":
        remedy += f"; or {cold_remedy(transition.configuration.node.name, transition.target.vsn)}"
    elif refusal.raised_in in transition.target.sources.keys() - {*transition.loaded}:
        remedy += REMEDY_REGISTRY.format(module=refusal.raised_in)
    return remedy


def _unrehearsed(transition: Transition, at: float, why: str, *, executed: bool) -> RehearsalEnd:
    """Return the result of a rehearsal for which the node could not be copied.

    `executed` is whether the node itself has executed the new code.
    """
    steps = script_steps.rehearsal_steps(transition)
    processes = sum(isinstance(step, script_steps.ProcessCodeChange) for step in steps)
    rehearsal = Rehearsal(
        at=at, seconds=0.0, stopped=0.0, pause=0.0, processes=processes, reached=0, error=why,
        bodies=0.0 if executed else None,
    )  # fmt: skip
    return RehearsalEnd(rehearsal)


class Receiver:
    """Collects the reports that the copy of the node has sent so far."""

    def __init__(self, on_progress: ProgressCallback) -> None:
        self.report = Report()
        self.results: list[RehearsalResult] = []
        self.children: list[PlannedChild] = []
        self.calls: list[RehearsedCall] = []
        self.cautions: list[str] = []
        self.code: NewCode | None = None
        self.live_values = LiveValuesFound()
        self._on_progress = on_progress
        self._decoder = msgspec.msgpack.Decoder(Report)

    def receive(self, message: bytes) -> None:
        """Add the report in `message`. Raises msgspec.DecodeError for a message that is not a report."""
        self.report = self._decoder.decode(message)
        self.results += self.report.results
        self.children += self.report.children
        self.calls += self.report.calls
        self.cautions += self.report.cautions
        self.code = self.report.code or self.code
        self.live_values = self.report.live_values or self.live_values
        self._on_progress(self.report.reached, self.report.processes)


def _ended_early(
    transition: Transition, marker: ProgressMarker, limits: RehearsalLimits, receiver: Receiver, copy: CopyEnd
) -> RehearsalResult | RehearsedCall | LoadRefusal | str:
    """Return what the copy was doing when it ended or hung, as a result; else the reason of its end, as a clause."""
    number, at_it = marker.read()
    limit = limits.seconds_for(number)
    if receiver.report.error is not None:
        return f"the copy of the node failed with {receiver.report.error}"
    if number == NO_PROCESS or (copy.killed and at_it <= limit):
        return (
            f"the rehearsal did not end within {limits.total_seconds:g} s"
            if copy.killed
            else "the copy of the node ended early"
        )
    outcome: RehearsalOutcome = "hung" if copy.killed else "died"
    message = "ended the copy of the node that it ran in"
    if copy.killed:
        message = f"has not ended within {limit:g} s, and can't be interrupted"
    if copy.lost_threads and (copy.killed or copy.crashed):
        # This proves nothing: C code may wait for a thread of its library, and the copy has no such thread.
        outcome, message = (
            "unrehearsed",
            f"{message}, perhaps because the copy lacks the node's threads of C libraries ({copy.lost_threads})",
        )
    if number == BODIES:
        reason = f"{receiver.report.body or 'the new code'}: its body {message}"
        return reason if outcome == "unrehearsed" else LoadRefusal(reason, "hung" if copy.killed else "died")
    if number < 0:
        applied = {
            at: step for at, step in affected.numbered_instructions(transition.script) if isinstance(step, Apply)
        }
        return RehearsedCall(step=-number, function=applied[-number].function, outcome=outcome, message=f"it {message}")
    process = runtime().processes.get(number)
    return RehearsalResult(
        pid=number,
        name=None if process is None else process.name,
        module="" if process is None else process.module,
        outcome=outcome,
        seconds=at_it,
        before=NOT_SHOWN,
        message=f"its code_change {message}",
    )


def _rank(result: RehearsalResult) -> int:
    """Return a sort key: failures first, then unrehearsed processes, then states that the downgrade doesn't restore."""
    if result.outcome == "unrehearsed":
        return 1
    if result.outcome == "ok":
        return 2 if result.given_back is False else 3
    return 0


# ------------------------------------------------------------------ sentences for plans


def blockers(rehearsal: Rehearsal) -> list[Blocker]:
    """Return the blockers that the rehearsal found, one per failing process or function."""
    failed = [one for one in rehearsal.results if one.outcome not in ("ok", "unrehearsed")]
    found = [Blocker(reason=sentence(one), remedy=_remedy(one), pid=one.pid) for one in failed[:MAX_BLOCKERS]]
    if rehearsal.failed > MAX_BLOCKERS:
        others = rehearsal.failed - MAX_BLOCKERS
        more = f"the rehearsal fails for {others} more process{'es' * (others != 1)}"
        found.append(
            Blocker(reason=more, remedy="correct the code_change; the plan with `-o json` lists up to 100 processes")
        )
    found += [
        Blocker(reason=_call_sentence(one), remedy=REMEDY_CALL) for one in rehearsal.calls if one.outcome in REMEDIES
    ]
    return found


def _remedy(one: RehearsalResult) -> str:
    if one.remedy is not None:
        return one.remedy
    process = runtime().processes.get(one.pid)
    return REMEDY_CHILDREN if process is not None and process.kind == "supervisor" else REMEDIES[one.outcome]


def _call_sentence(one: RehearsedCall) -> str:
    """Return a clause about an applied function whose outcome is not "ok"."""
    return f"instruction {one.step}, apply {one.function}: {one.message}{_where(one.trace)}"


def sentence(one: RehearsalResult) -> str:
    """Return a clause about a process whose outcome is not "ok", or whose state the downgrade does not restore."""
    return f"{one.name or f'<{one.pid}>'} ({one.module}): {one.message}{_where(one.trace)}"


def _where(trace: tuple[str, ...]) -> str:
    return f" ({trace[-1].partition(' ')[0]})" if trace else ""


def refusal(rehearsal: Rehearsal, consent: bool) -> str | None:
    """Return why the install must not continue after this rehearsal; None if it may.

    `consent` is whether the operator accepts that some processes can't be rehearsed.
    """
    if found := blockers(rehearsal):
        return f"the rehearsal failed: {'; '.join(blocker.reason for blocker in found)}"
    unknown = needs_consent(rehearsal)
    return None if unknown is None or consent else f"{unknown}; {CONSENT}"


def needs_consent(rehearsal: Rehearsal) -> str | None:
    """Return a clause about processes that were not rehearsed, for the operator's consent; None if there are none."""
    missing = rehearsal.processes - rehearsal.reached
    first = next((one for one in rehearsal.results if one.outcome == "unrehearsed"), None)
    sentences = []
    if first is not None:
        more = (
            f", and {rehearsal.unrehearsed - 1} more of the processes can't be rehearsed"
            if rehearsal.unrehearsed > 1
            else ""
        )
        sentences.append(f"{sentence(first)}{more}")
    if rehearsal.bodies is None and rehearsal.error is not None:
        sentences.append(f"the new code was not executed in a copy of the node: {rehearsal.error}")
    elif missing and not rehearsal.failed:
        sentences.append(f"{missing} of {rehearsal.processes} processes were not rehearsed: {rehearsal.error}")
    if rehearsal.not_searched:
        number = rehearsal.not_searched
        whose = f"{number} process{'es' * (number != 1)}"
        sentences.append(f"the values that {whose} hold{'s' * (number == 1)} were not all searched for replaced code")
    return "; ".join(sentences) or None


def warnings(outcome: RehearsalEnd) -> list[str]:
    """Return sentences about findings that do not block the upgrade."""
    rehearsal = outcome.rehearsal
    first = next((one for one in rehearsal.results if one.given_back is False), None)
    sentences = []
    if first is not None:
        more = (
            f" The downgrade does not restore the states of {rehearsal.not_given_back} processes in all."
            if rehearsal.not_given_back > 1
            else ""
        )
        sentences.append(f"{sentence(first)}.{more}")
    if rehearsal.no_way_back:
        number = rehearsal.no_way_back
        sentences.append(
            f"The way back fails for {number} process{'es' * (number != 1)}: only a restart of the node leads back. "
            "In a downgrade, let code_change return a state of the older class; old_vsn.target is the older module."
        )
    if outcome.not_compared:
        sentences.append(
            f"The states of {outcome.not_compared} processes are too large to check whether code_change mutates them."
        )
    return [*sentences, *outcome.cautions]


def blocks_way_back(rehearsal: Rehearsal, left: str, path: Sequence[str]) -> bool:
    """Return whether the rehearsal has shown that the way back, which installs the releases of `path`, would fail.

    Only a return to `left` was rehearsed. So return False if the way back begins with another release.
    """
    return bool(rehearsal.no_way_back) and [*path[:1]] == [left]


def problems_only(rehearsal: Rehearsal) -> Rehearsal:
    """Return a copy of the rehearsal with only those results that show a problem, for the record of an operation."""
    kept = tuple(one for one in rehearsal.results if one.outcome != "ok" or one.given_back is False)
    return msgspec.structs.replace(rehearsal, results=kept)
