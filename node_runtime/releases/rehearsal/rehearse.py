"""A rehearsal as the node sees it: begun, followed, and told in a plan's words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from node_runtime.code import Batch, CodeServer
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker, PlannedChild, Rehearsal, RehearsalOutcome, Rehearsed, RehearsedCall
from node_runtime.releases.files.relup_instructions import Apply
from node_runtime.releases.planning import affected
from node_runtime.releases.planning.transition import Transition

from . import script_steps
from .code_change_plan import Roles
from .forked import NOBODY, Bounds, Place, Tell, run_in_a_copy
from .runner import UNSEEN, Play, Told

MEMORY: Final = 1 << 30
"""Bytes that a rehearsal may need beyond what the node has."""
RESULTS: Final = 100
"""How many processes a rehearsal tells of one by one."""
NAMED: Final = 20
"""How many processes that fail become blockers of their own."""
CONSENT: Final = "say --unrehearsed to go all the same"
REMEDIES: Final[dict[RehearsalOutcome, str]] = {
    "raised": "correct the code_change and build the release again",
    "wrong type": "let the code_change return what the class is declared with, or correct the declaration",
    "no such state": "let the code_change map the state to one that the new version defines",
    "mutated": "let the code_change make a new value: the old one has to be there if the install is put back",
    "hung": "correct the code_change: all processes would stand still with it",
    "died": "correct the code_change: it would end the node",
}
REMEDY_CHILDREN: Final = "correct children() and build the release again"
REMEDY_CALL: Final = "correct the function, or what the appup gives it, and build the release again"

Hear = Callable[[int, int], None]
"""Is told how many processes have been rehearsed, of how many."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rehearsal, what supervisors would make of their children, and how many states were too large to compare."""

    rehearsal: Rehearsal
    children: tuple[PlannedChild, ...] = ()
    not_compared: int = 0


def is_due(transition: Transition) -> bool:
    """Whether an install has something to rehearse: a code_change, or a function of the release."""
    return bool(transition.migrated) or script_steps.calls(transition)


async def rehearse(transition: Transition, batch: Batch, code: CodeServer, hear: Hear) -> Outcome:
    """Run every code_change of the transition on a copy of the live states. Nothing of the node is touched."""
    if not (
        any(process.module in transition.suspended for process in runtime().processes.values())
        or script_steps.calls(transition)
        or script_steps.unread(transition)
    ):
        return Outcome(Rehearsal(at=time.time(), seconds=0.0, stopped=0.0, pause=0.0, processes=0, reached=0))
    at, began = time.time(), time.perf_counter()
    modules = (*transition.migrated, *transition.loaded, *transition.removed)
    running = {module: version for module in modules if (version := code.versions(module)[0]) is not None}
    roles = Roles(batch, running)
    node = transition.configuration.node
    bounds = Bounds(node.rehearsal, node.code_change, MEMORY)
    place, heard = Place(), Heard(hear)

    def work(tell: Tell) -> None:
        Play(transition, batch, roles, bounds, place, tell).run()

    try:
        stopped, killed = await run_in_a_copy(work, heard.take, place, bounds)
        ended = None if heard.told.over else _ended_early(transition, place, bounds, heard, killed=killed)
    finally:
        place.close()
    results = sorted((*heard.results, *((ended,) if isinstance(ended, Rehearsed) else ())), key=_weight)
    told = heard.told
    rehearsal = Rehearsal(
        at=at,
        seconds=time.perf_counter() - began,
        stopped=stopped,
        pause=told.pause,
        around=told.around,
        processes=told.processes if told.over else max(told.processes, 1),
        reached=told.reached + isinstance(ended, Rehearsed),
        failed=told.failed + isinstance(ended, Rehearsed),
        unrehearsed=told.unrehearsed,
        not_given_back=told.not_given_back,
        results=tuple(results[:RESULTS]),
        error=ended if isinstance(ended, str) else None,
        calls=(*heard.calls, *((ended,) if isinstance(ended, RehearsedCall) else ())),
    )
    return Outcome(rehearsal, tuple(heard.children), told.not_compared)


class Heard:
    """What the copy has told so far."""

    def __init__(self, hear: Hear) -> None:
        self.told = Told()
        self.results: list[Rehearsed] = []
        self.children: list[PlannedChild] = []
        self.calls: list[RehearsedCall] = []
        self._hear = hear
        self._decoder = msgspec.msgpack.Decoder(Told)

    def take(self, message: bytes) -> None:
        """One more message. Raises what msgspec raises for one that is none."""
        self.told = self._decoder.decode(message)
        self.results += self.told.results
        self.children += self.told.children
        self.calls += self.told.calls
        self._hear(self.told.reached, self.told.processes)


def _ended_early(
    transition: Transition, place: Place, bounds: Bounds, heard: Heard, *, killed: bool
) -> Rehearsed | RehearsedCall | str:
    """The process or the function that it ended at, or what is to be said instead."""
    number, at_it = place.read()
    process = runtime().processes.get(number)
    if heard.told.error is not None:
        return f"it failed: {heard.told.error}"
    if number == NOBODY or (killed and at_it <= bounds.each):
        return f"not everything was rehearsed within {bounds.seconds:g} s" if killed else "its process has ended"
    outcome: RehearsalOutcome = "hung" if killed else "died"
    message = "ended the process that it ran in"
    if killed:
        message = f"has not ended within {bounds.each:g} s, and can't be interrupted"
    if number < 0:
        applied = {at: step for at, step in affected.numbered(transition.script) if isinstance(step, Apply)}
        return RehearsedCall(step=-number, function=applied[-number].function, outcome=outcome, message=f"it {message}")
    return Rehearsed(
        pid=number,
        name=None if process is None else process.name,
        module="" if process is None else process.module,
        outcome=outcome,
        seconds=at_it,
        before=UNSEEN,
        message=f"its code_change {message}",
    )


def _weight(result: Rehearsed) -> int:
    """What failed comes first, then what couldn't be tried, then what doesn't come back."""
    if result.outcome == "unrehearsed":
        return 1
    if result.outcome == "ok":
        return 2 if result.given_back is False else 3
    return 0


# ------------------------------------------------------------------ in a plan's words


def blockers(rehearsal: Rehearsal) -> list[Blocker]:
    """What the rehearsal found to stand in the way, process by process."""
    failed = [one for one in rehearsal.results if one.outcome not in ("ok", "unrehearsed")]
    found = [Blocker(reason=sentence(one), remedy=_remedy(one), pid=one.pid) for one in failed[:NAMED]]
    if rehearsal.failed > NAMED:
        more = f"{rehearsal.failed - NAMED} more processes fail in the rehearsal"
        found.append(Blocker(reason=more, remedy="correct the code_change; `-o json` lists the first hundred"))
    found += [Blocker(reason=_called(one), remedy=REMEDY_CALL) for one in rehearsal.calls if one.outcome in REMEDIES]
    return found


def _remedy(one: Rehearsed) -> str:
    process = runtime().processes.get(one.pid)
    return REMEDY_CHILDREN if process is not None and process.kind == "supervisor" else REMEDIES[one.outcome]


def _called(one: RehearsedCall) -> str:
    """An applied function that did not go well."""
    return f"instruction {one.step}, apply {one.function}: {one.message}{_where(one.trace)}"


def sentence(one: Rehearsed) -> str:
    """One process that did not go well."""
    return f"{one.name or f'<{one.pid}>'} ({one.module}): {one.message}{_where(one.trace)}"


def _where(trace: tuple[str, ...]) -> str:
    return f" ({trace[-1].partition(' ')[0]})" if trace else ""


def refusal(rehearsal: Rehearsal, consent: bool) -> str | None:
    """Why an install doesn't begin after this rehearsal; `consent` is to what can't be rehearsed."""
    if found := blockers(rehearsal):
        return f"the rehearsal failed: {'; '.join(blocker.reason for blocker in found)}"
    unknown = needs_consent(rehearsal)
    return None if unknown is None or consent else f"{unknown}: {CONSENT}"


def needs_consent(rehearsal: Rehearsal) -> str | None:
    """What can't be known before it is done, so that somebody has to want it all the same."""
    missing = rehearsal.processes - rehearsal.reached
    first = next((one for one in rehearsal.results if one.outcome == "unrehearsed"), None)
    said = []
    if first is not None:
        more = f", and {rehearsal.unrehearsed - 1} more can't be rehearsed" if rehearsal.unrehearsed > 1 else ""
        said.append(f"{sentence(first)}{more}")
    if missing and not rehearsal.failed:
        said.append(f"{missing} of {rehearsal.processes} processes were not rehearsed: {rehearsal.error}")
    return "; ".join(said) or None


def warnings(outcome: Outcome) -> list[str]:
    """What is worth knowing before, and no reason not to go."""
    rehearsal = outcome.rehearsal
    first = next((one for one in rehearsal.results if one.given_back is False), None)
    said = []
    if first is not None:
        more = f" So it is with {rehearsal.not_given_back} processes." if rehearsal.not_given_back > 1 else ""
        said.append(f"{sentence(first)}.{more}")
    if outcome.not_compared:
        said.append(
            f"The states of {outcome.not_compared} processes are too large to see whether code_change changes them."
        )
    return said


def problems_only(rehearsal: Rehearsal) -> Rehearsal:
    """What an operation keeps of it."""
    kept = tuple(one for one in rehearsal.results if one.outcome != "ok" or one.given_back is False)
    return msgspec.structs.replace(rehearsal, results=kept)
