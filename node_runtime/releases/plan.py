"""Plans: the effects that an upgrade or a downgrade would have on this node now. A plan changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from node_runtime.code import Batch, CodeServer, Drift, OldVersionHeld
from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, Plan, PlannedChild, PlannedModule, PlannedProcess, Rehearsal

from . import rehearsal
from .planning import affected, conditions, coroutines
from .planning.lasting_blockers import lasting_blockers
from .planning.old_versions import held_blocker
from .planning.transition import Transition
from .relup.instruction_text import sentence
from .store.unpacked_release import UnpackedRelease

REMEDY_CODE = "correct the module and build the release again"
REMEDY_RESTART = "build the release for the node's Python and third-party code, or install it in a new node directory"


class PlanLock:
    """The lock that lets a node make one plan at a time, so that an install waits for at most one rehearsal."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


@dataclass(frozen=True, slots=True)
class _Findings:
    """The findings about the live node.

    `batch` is the prepared new code; `batch` and `rehearsed` are None if the code can't be loaded.
    `obstacles` are the blockers found before the rehearsal. `drift` lists the modules whose running
    code differs from the code in their release. `affected` lists the processes that the script
    affects.
    """

    batch: Batch | None
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

    The new code is compiled and executed where no other code sees it, and discarded afterwards.
    """
    obstacles = []
    if reason := transition.restart_reason():
        obstacles.append(Blocker(reason=f"{reason}: this needs a restart of the node", remedy=REMEDY_RESTART))
    drift = await asyncio.to_thread(code.modified, _sums(transition.left))
    batch, obstacle = await prepare(transition, code)
    if obstacle is not None:
        obstacles.append(obstacle)
    try:
        async with runtime().singleton(PlanLock).lock:
            rehearsed = None if batch is None else await rehearsal.rehearse(transition, batch, code, on_progress)
        processes = await affected.affected_processes(transition)
        findings = _Findings(batch, rehearsed, obstacles, drift, processes)
        return _plan(transition, code, generation, findings, rollback_path=rollback_path)
    finally:
        if batch is not None:
            batch.discard()


def _plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    findings: _Findings,
    *,
    rollback_path: Sequence[str] | None,
) -> Plan:
    batch, rehearsed = findings.batch, findings.rehearsed
    blockers, warnings = list(findings.obstacles), _warnings(transition)
    children: tuple[PlannedChild, ...] = ()
    if batch is not None:
        blockers += lasting_blockers(transition, batch)
        blockers += conditions.unready_state_machines(transition, batch, affected.pids_of_stopped(transition.script))
        warnings += batch.warnings()
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
        modules=tuple(_modules(transition, code, batch)),
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
    """Estimate the time for which processes are suspended, from the end of their last callback to the resume."""
    held = any(one.action in ("migrate", "suspend") for one in processes)
    return rehearsed.pause + rehearsed.around if held else 0.0


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


async def prepare(transition: Transition, code: CodeServer) -> tuple[Batch | None, Blocker | None]:
    """Compile and execute the new code in a thread. Return the prepared code, or a blocker if that fails."""
    try:
        return await asyncio.to_thread(code.prepare, transition.sources, transition.removed), None
    except OldVersionHeld as held:
        return None, await held_blocker(held, code)
    except Refused as refused:
        return None, Blocker(reason=_clause(refused), remedy=REMEDY_CODE)


def _clause(refused: Refused) -> str:
    return refused.sentence.rstrip(".")


def _modules(transition: Transition, code: CodeServer, batch: Batch | None) -> list[PlannedModule]:
    planned = []
    known = transition.left.sources
    for module in transition.loaded:
        current, _ = code.versions(module)
        new = (
            batch.version(module).vsn if batch is not None else transition.target.view.owners()[module].modules[module]
        )
        planned.append(
            PlannedModule(
                name=module,
                application=transition.target.sources[module].app,
                action="load" if module in known else "add",
                old_vsn=None if current is None else current.vsn,
                new_vsn=new[:12] if batch is None else new,
                needs=() if batch is None else _needs(batch, module),
            )
        )
    for module in transition.removed:
        current, _ = code.versions(module)
        old = None if current is None else current.vsn
        planned.append(
            PlannedModule(name=module, application=known[module].app, action="delete", old_vsn=old, new_vsn=None)
        )
    return planned


def _needs(batch: Batch, module: str) -> tuple[str, ...]:
    """Return the other new modules that the new `module` imports.

    An import of the form `from package import submodule` counts, too.
    """
    entries = batch.version(module).imports.entries
    imported = {entry.module for entry in entries} | {f"{entry.module}.{entry.name}" for entry in entries}
    return tuple(other for other in batch.modules if other != module and other in imported)


def _sums(release: UnpackedRelease) -> dict[str, str]:
    return {module: entry.sha256 for app in release.manifest.apps for module, entry in app.modules.items()}


def _warnings(transition: Transition) -> list[str]:
    warnings = coroutines.warnings(transition)
    for module in transition.removed:
        if users := conditions.callback_processes(module):
            label = conditions.process_label(users[0])
            warnings.append(f"{label} runs {module}, which the script deletes without stopping {label} first.")
    return warnings
