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
from .code_change_plan import ClassPlans
from .forked import NO_PROCESS, ProgressMarker, RehearsalLimits, SendMessage, run_in_forked_copy
from .runner import NOT_SHOWN, RehearsalRunner, Report

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
REMEDY_CHILDREN: Final = "correct children() and build the release again"
REMEDY_CALL: Final = "correct the function, or its args in the appup, and build the release again"

ProgressCallback = Callable[[int, int], None]
"""Called with the number of processes rehearsed so far, and the number to rehearse in all."""


@dataclass(frozen=True, slots=True)
class RehearsalEnd:
    """The result of a rehearsal.

    `children` are the changes of supervisors' children. `not_compared` is the number of states that were too large to
    check for mutation.
    """

    rehearsal: Rehearsal
    children: tuple[PlannedChild, ...] = ()
    not_compared: int = 0


def is_due(transition: Transition) -> bool:
    """Return whether an install has something to rehearse: a code_change, children(), or a function of the release."""
    return bool(
        transition.migrated or script_steps.applies_functions(transition) or script_steps.stale_supervisors(transition)
    )


async def rehearse(
    transition: Transition, batch: Batch, code: CodeServer, on_progress: ProgressCallback
) -> RehearsalEnd:
    """Rehearse the transition in a forked copy of the node. The node itself is not changed."""
    if not (
        any(process.module in transition.suspended for process in runtime().processes.values())
        or script_steps.applies_functions(transition)
        or script_steps.stale_supervisors(transition)
    ):
        return RehearsalEnd(Rehearsal(at=time.time(), seconds=0.0, stopped=0.0, pause=0.0, processes=0, reached=0))
    at, began = time.time(), time.perf_counter()
    modules = (*transition.migrated, *transition.loaded, *transition.removed)
    running = {module: version for module in modules if (version := code.versions(module)[0]) is not None}
    plans = ClassPlans(batch, running, (transition.left.vsn, transition.target.vsn))
    node = transition.configuration.node
    limits = RehearsalLimits(node.rehearsal, node.code_change, MEMORY_LIMIT)
    marker, receiver = ProgressMarker(), Receiver(on_progress)

    def work(send: SendMessage) -> None:
        RehearsalRunner(transition, batch, plans, limits, marker, send).run()

    try:
        stopped, killed = await run_in_forked_copy(work, receiver.receive, marker, limits)
        ended = None if receiver.report.complete else _ended_early(transition, marker, limits, receiver, killed=killed)
    finally:
        marker.close()
    results = sorted((*receiver.results, *((ended,) if isinstance(ended, RehearsalResult) else ())), key=_rank)
    report = receiver.report
    rehearsal = Rehearsal(
        at=at,
        seconds=time.perf_counter() - began,
        stopped=stopped,
        pause=report.pause,
        around=report.around,
        processes=report.processes if report.complete else max(report.processes, 1),
        reached=report.reached + isinstance(ended, RehearsalResult),
        failed=report.failed + isinstance(ended, RehearsalResult),
        unrehearsed=report.unrehearsed,
        not_given_back=report.not_given_back,
        no_way_back=report.no_way_back,
        results=tuple(results[:MAX_RESULTS]),
        error=ended if isinstance(ended, str) else None,
        calls=(*receiver.calls, *((ended,) if isinstance(ended, RehearsedCall) else ())),
    )
    return RehearsalEnd(rehearsal, tuple(receiver.children), report.not_compared)


class Receiver:
    """Collects the reports that the copy of the node has sent so far."""

    def __init__(self, on_progress: ProgressCallback) -> None:
        self.report = Report()
        self.results: list[RehearsalResult] = []
        self.children: list[PlannedChild] = []
        self.calls: list[RehearsedCall] = []
        self._on_progress = on_progress
        self._decoder = msgspec.msgpack.Decoder(Report)

    def receive(self, message: bytes) -> None:
        """Add the report in `message`. Raises msgspec.DecodeError for a message that is not a report."""
        self.report = self._decoder.decode(message)
        self.results += self.report.results
        self.children += self.report.children
        self.calls += self.report.calls
        self._on_progress(self.report.reached, self.report.processes)


def _ended_early(
    transition: Transition, marker: ProgressMarker, limits: RehearsalLimits, receiver: Receiver, *, killed: bool
) -> RehearsalResult | RehearsedCall | str:
    """Return a result for the process or function during which the copy of the node ended or hung.

    If the copy ended for another reason, return that reason as a clause.
    """
    number, at_it = marker.read()
    process = runtime().processes.get(number)
    if receiver.report.error is not None:
        return f"the copy of the node failed with {receiver.report.error}"
    if number == NO_PROCESS or (killed and at_it <= limits.call_seconds):
        return (
            f"the rehearsal did not end within {limits.total_seconds:g} s"
            if killed
            else "the copy of the node ended early"
        )
    outcome: RehearsalOutcome = "hung" if killed else "died"
    message = "ended the copy of the node that it ran in"
    if killed:
        message = f"has not ended within {limits.call_seconds:g} s, and can't be interrupted"
    if number < 0:
        applied = {
            at: step for at, step in affected.numbered_instructions(transition.script) if isinstance(step, Apply)
        }
        return RehearsedCall(step=-number, function=applied[-number].function, outcome=outcome, message=f"it {message}")
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
    if missing and not rehearsal.failed:
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
