"""Plans: the effects that an upgrade or a downgrade would have on this node now. A plan changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from node_runtime.code import AroundBody, Batch, CodeServer, Drift, OldVersionHeld, SourceText
from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, Plan, PlannedChild, PlannedModule, PlannedProcess, Rehearsal

from . import rehearsal
from .planning import affected, conditions, coroutines
from .planning.old_versions import held_blocker
from .planning.transition import Transition
from .relup.instruction_text import sentence
from .store.unpacked_release import UnpackedRelease

REMEDY_CODE = rehearsal.REMEDIES_LOAD["raised"]
REMEDY_RESTART = "build the release for the node's Python and third-party code, or install it in a new node directory"


class PlanLock:
    """The lock that lets a node make one plan at a time, so that an install waits for at most one rehearsal."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


@dataclass(frozen=True, slots=True)
class _Findings:
    """The findings about the live node.

    `rehearsed` is None if the new code can't be loaded. `obstacles` are the blockers found outside of the rehearsal.
    `drift` lists the modules whose running code differs from the code in their release. `affected` lists the processes
    that the script affects.
    """

    rehearsed: rehearsal.RehearsalEnd | None
    obstacles: Sequence[Blocker]
    drift: Sequence[Drift]
    affected: Sequence[PlannedProcess]


async def make_plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    *,
    rollback_path: Sequence[str] | None,
    on_progress: rehearsal.ProgressCallback,
) -> Plan:
    """Make the plan for a transition. `rollback_path` are the releases from its target to the permanent release.

    The new code is compiled and executed in a copy of the node only.
    """
    obstacles = []
    if reason := transition.restart_reason():
        obstacles.append(Blocker(reason=f"{reason}: this needs a restart of the node", remedy=REMEDY_RESTART))
    drift = await asyncio.to_thread(code.modified, _sums(transition.left))
    texts, obstacle = await _read(transition, code)
    rehearsed = None
    if texts is not None:
        prepare = partial(_prepare, transition, code, texts)
        async with runtime().singleton(PlanLock).lock:
            rehearsed = await rehearsal.rehearse(transition, prepare, code, on_progress)
        obstacle = rehearsed.refusal
    if obstacle is not None:
        obstacles.append(obstacle)
        rehearsed = None
    processes = await affected.affected_processes(transition)
    findings = _Findings(rehearsed, obstacles, drift, processes)
    return _plan(transition, code, generation, findings, rollback_path=rollback_path)


def _plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    findings: _Findings,
    *,
    rollback_path: Sequence[str] | None,
) -> Plan:
    rehearsed = findings.rehearsed
    new_code = None if rehearsed is None else rehearsed.code
    blockers, warnings = list(findings.obstacles), _warnings(transition)
    children: tuple[PlannedChild, ...] = ()
    if new_code is not None:
        blockers += new_code.blockers
        warnings += new_code.warnings
    if rehearsed is not None:
        children = affected.with_steps(rehearsed.children, transition.script)
        without_step, unless_applied = affected.children_without_step(children, transition.script)
        known = {blocker.pid for blocker in blockers}
        blockers += [one for one in rehearsal.blockers(rehearsed.rehearsal) if one.pid is None or one.pid not in known]
        blockers += without_step
        warnings += [*unless_applied, *rehearsal.warnings(rehearsed)]
    return Plan(
        id=transition.plan_id(generation),
        direction=transition.direction,
        from_vsn=transition.left.vsn,
        to_vsn=transition.target.vsn,
        generation=generation,
        modules=tuple(_modules(transition, code, new_code)),
        processes=tuple(findings.affected),
        instructions=tuple(sentence(step) for _, step in affected.numbered_instructions(transition.script)),
        point_of_no_return=transition.point_of_no_return,
        configuration=transition.difference,
        blockers=tuple(blockers),
        warnings=(*warnings, *map(str, findings.drift)),
        way_back=rollback_path is not None
        and (
            rehearsed is None or not rehearsal.blocks_way_back(rehearsed.rehearsal, transition.left.vsn, rollback_path)
        ),
        children=children,
        irreversible=tuple(
            f"{function} is applied without an undo, so a failed install can't undo what it did."
            for function in transition.irreversible
        ),
        pause=None if rehearsed is None else _pause(rehearsed.rehearsal, findings.affected),
        rehearsal=None if rehearsed is None else rehearsed.rehearsal,
    )


def _pause(rehearsed: Rehearsal, processes: Sequence[PlannedProcess]) -> float:
    """Estimate the time for which the install stops the loop, or suspends processes after their last callbacks."""
    held = any(one.action in ("migrate", "suspend") for one in processes)
    return (rehearsed.bodies or 0.0) + (rehearsed.pause + rehearsed.around if held else 0.0)


def no_plan(left: str, target: str, generation: int, obstacle: Blocker | None = None) -> Plan:
    """Return a plan without a script, for a target that is already current or that `obstacle` makes unreachable."""
    return Plan(
        id="",
        direction="up",
        from_vsn=left,
        to_vsn=target,
        generation=generation,
        modules=(),
        processes=(),
        instructions=(),
        point_of_no_return=0,
        configuration=(),
        blockers=() if obstacle is None else (redact_struct(obstacle),),
        warnings=(),
        way_back=obstacle is None,
        nothing_to_do=obstacle is None,
    )


async def _read(transition: Transition, code: CodeServer) -> tuple[list[SourceText] | None, Blocker | None]:
    """Read the new code in a thread. Return the sources, or a blocker if they can't be loaded."""

    def read() -> list[SourceText]:
        texts = code.read(transition.sources)
        code.check_free(texts, transition.removed)
        return texts

    try:
        return await asyncio.to_thread(read), None
    except OldVersionHeld as held:
        return None, await held_blocker(held, code)
    except Refused as refused:
        return None, Blocker(reason=_clause(refused), remedy=REMEDY_CODE)


def _prepare(transition: Transition, code: CodeServer, texts: list[SourceText], around_body: AroundBody) -> Batch:
    """Compile and execute the new code. Called in a copy of the node."""
    return code.execute(code.compile_all(texts), transition.removed, around_body)


def _clause(refused: Refused) -> str:
    return refused.sentence.rstrip(".")


def _modules(transition: Transition, code: CodeServer, new_code: rehearsal.NewCode | None) -> list[PlannedModule]:
    planned = []
    known = transition.left.sources
    owners = transition.target.view.owners()
    for module in transition.loaded:
        current, _ = code.versions(module)
        new = owners[module].modules[module][:12] if new_code is None else new_code.versions[module]
        planned.append(
            PlannedModule(
                name=module,
                application=transition.target.sources[module].app,
                action="load" if module in known else "add",
                old_vsn=None if current is None else current.vsn,
                new_vsn=new,
                needs=() if new_code is None else new_code.needs[module],
            )
        )
    for module in transition.removed:
        current, _ = code.versions(module)
        old = None if current is None else current.vsn
        planned.append(
            PlannedModule(name=module, application=known[module].app, action="delete", old_vsn=old, new_vsn=None)
        )
    return planned


def _sums(release: UnpackedRelease) -> dict[str, str]:
    return {module: entry.sha256 for app in release.manifest.apps for module, entry in app.modules.items()}


def _warnings(transition: Transition) -> list[str]:
    warnings = coroutines.warnings(transition)
    for module in transition.removed:
        if users := conditions.callback_processes(module):
            label = conditions.process_label(users[0])
            warnings.append(f"{label} runs {module}, which the script deletes without stopping {label} first.")
    return warnings
