"""The node's side of a rehearsal: starts the copy, reads its reports, and describes the result for plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from node_runtime.code import Batch, CodeServer
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
from node_runtime.releases.planning import affected
from node_runtime.releases.planning.transition import Transition

from . import script_steps
from .bodies import LoadRefusal, PrepareCode
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
from .report import Report
from .runner import NOT_SHOWN, RehearsalRunner

MEMORY_LIMIT: Final = 1 << 30
"""Bytes that a rehearsal may use on top of the node's memory."""
MAX_RESULTS: Final = 100
"""At most this many processes of a rehearsal get a result."""
MAX_BLOCKERS: Final = 20
"""At most this many failing processes get a blocker each."""
CONSENT: Final = "pass --unrehearsed to proceed anyway"
REMEDIES: Final[dict[RehearsalOutcome, str]] = {
    "raised": "correct the code_change and build the release again",
    "wrong type": "let the code_change return the type that the class declares, or correct the declaration",
    "no such state": "let the code_change map the state to one that the new version defines",
    "mutated": "let the code_change return a new value: a failed install needs the old one unchanged",
    "hung": "correct the code_change, for which all suspended processes would wait, "
    "or raise its time limit in node.toml",
    "died": "correct the code_change, which would end the node",
}
REMEDIES_LOAD: Final[dict[str, str]] = {
    "raised": "correct the module and build the release again",
    "hung": "correct the module, or raise `prepare` in node.toml",
    "died": "correct the module, which would end the node",
}
REMEDY_CHILDREN: Final = "correct children() and build the release again"
REMEDY_CALL: Final = "correct the function, or its args in the appup, and build the release again"

ProgressCallback = Callable[[int, int], None]
"""Called with the number of processes rehearsed so far, and the number to rehearse in all."""


@dataclass(frozen=True, slots=True)
class RehearsalEnd:
    """The result of a rehearsal.

    `children` are the changes of supervisors' children. `not_compared` is the number of states that were too large to
    check for mutation. `code` describes the new code; it is None if a copy of the node has not executed the code.
    `refusal` says why the new code can't be loaded.
    """

    rehearsal: Rehearsal
    children: tuple[PlannedChild, ...] = ()
    not_compared: int = 0
    code: NewCode | None = None
    refusal: Blocker | None = None


def is_due(transition: Transition) -> bool:
    """Return whether an install has something to rehearse: a code_change, children(), or a function of the release."""
    return bool(
        transition.migrated or script_steps.applies_functions(transition) or script_steps.stale_supervisors(transition)
    )


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
    `bodies_only`, nothing else is rehearsed.
    """
    if isinstance(new_code, Batch) and not _affects_processes(transition):
        return RehearsalEnd(Rehearsal(at=time.time(), seconds=0.0, stopped=0.0, pause=0.0, processes=0, reached=0))
    at, began = time.time(), time.perf_counter()
    node = transition.configuration.node
    if node.rehearsal == "off":
        return _unrehearsed(transition, at, "`rehearsal` in node.toml is off", executed=isinstance(new_code, Batch))
    modules = (*transition.migrated, *transition.loaded, *transition.removed)
    running = {module: version for module in modules if (version := code.versions(module)[0]) is not None}
    limits = RehearsalLimits(node.rehearsal, node.code_change, node.prepare, MEMORY_LIMIT)
    marker, receiver = ProgressMarker(), Receiver(on_progress)

    def work(send: SendMessage) -> None:
        RehearsalRunner(transition, running, new_code, limits, marker, send, bodies_only).run()

    try:
        copy = await run_in_forked_copy(work, receiver.receive, marker, limits)
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
    )
    blocker = None if refusal is None else Blocker(reason=refusal.reason, remedy=REMEDIES_LOAD[refusal.kind])
    return RehearsalEnd(rehearsal, tuple(receiver.children), report.not_compared, receiver.code, blocker)


def _affects_processes(transition: Transition) -> bool:
    return (
        any(process.module in transition.suspended for process in runtime().processes.values())
        or script_steps.applies_functions(transition)
        or bool(script_steps.stale_supervisors(transition))
    )


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
        self.code: NewCode | None = None
        self._on_progress = on_progress
        self._decoder = msgspec.msgpack.Decoder(Report)

    def receive(self, message: bytes) -> None:
        """Add the report in `message`. Raises msgspec.DecodeError for a message that is not a report."""
        self.report = self._decoder.decode(message)
        self.results += self.report.results
        self.children += self.report.children
        self.calls += self.report.calls
        self.code = self.report.code or self.code
        self._on_progress(self.report.reached, self.report.processes)


def _ended_early(
    transition: Transition, marker: ProgressMarker, limits: RehearsalLimits, receiver: Receiver, copy: CopyEnd
) -> RehearsalResult | RehearsedCall | LoadRefusal | str:
    """Return a result for the process, function or body during which the copy of the node ended or hung.

    If the copy ended for another reason, return that reason as a clause.
    """
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
        # C code that waits for a thread of its library, which only the node has, proves nothing.
        outcome, message = (
            "unrehearsed",
            f"{message}, but {copy.lost_threads} of the node's threads, those of C libraries, don't exist in the copy",
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
            f"The way back fails for {number} process{'es' * (number != 1)}, so it needs a restart of the node; let "
            "the code_change return a state of the version to which it goes back, which it finds in old_vsn.target."
        )
    if outcome.not_compared:
        sentences.append(
            f"The states of {outcome.not_compared} processes are too large to check whether code_change mutates them."
        )
    return sentences


def blocks_way_back(rehearsal: Rehearsal, left: str, path: Sequence[str]) -> bool:
    """Return whether the way back fails that leads along `path`, from an install's target to the permanent release.

    Only the way to the release `left`, from which the install starts, was rehearsed.
    """
    return bool(rehearsal.no_way_back) and [*path[:1]] == [left]


def problems_only(rehearsal: Rehearsal) -> Rehearsal:
    """Return the rehearsal as an operation stores it: only with the results that have a problem."""
    kept = tuple(one for one in rehearsal.results if one.outcome != "ok" or one.given_back is False)
    return msgspec.structs.replace(rehearsal, results=kept)
