"""What going to another release would do to this node now, to be read before anything is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from node_runtime.code import Batch, CodeServer, Drift, OldVersionHeld
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, Plan, PlannedChild, PlannedModule, PlannedProcess, Rehearsal
from node_runtime.releases import rehearsal
from node_runtime.releases.relup.instruction_text import sentence
from node_runtime.releases.store.catalog import Unpacked

from . import affected, conditions
from .transition import Transition

HOLDERS = 3
"""How many of those who hold an old version are named."""
REMEDY_CODE = "correct the module and build the release again"
REMEDY_RESTART = "commit it and restart the node, or build it for what the node runs"


class Planning:
    """There is one for a node: whoever looks at plans, an install never waits for more than one rehearsal, its own."""

    def __init__(self) -> None:
        self.free = asyncio.Lock()


async def make_plan(
    transition: Transition, code: CodeServer, generation: int, way_back: bool, hear: rehearsal.Hear
) -> Plan:
    """The plan for a transition. The new code is compiled and executed for it, away from everybody, and dropped."""
    obstacles = []
    if reason := transition.restart_reason():
        obstacles.append(Blocker(reason=f"{reason}: this needs a restart of the node", remedy=REMEDY_RESTART))
    drift = await asyncio.to_thread(code.modified, _sums(transition.left))
    batch, obstacle = await prepare(transition, code)
    if obstacle is not None:
        obstacles.append(obstacle)
    try:
        async with runtime().part(Planning).free:
            rehearsed = None if batch is None else await rehearsal.rehearse(transition, batch, code, hear)
        touched = await affected.processes(transition)
        return _plan(transition, code, generation, way_back, batch, rehearsed, obstacles, drift, touched)
    finally:
        if batch is not None:
            batch.discard()


def _plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    way_back: bool,
    batch: Batch | None,
    rehearsed: rehearsal.Outcome | None,
    obstacles: Sequence[Blocker],
    drift: Sequence[Drift],
    touched: Sequence[PlannedProcess],
) -> Plan:
    blockers, warnings = list(obstacles), _warnings(transition)
    children: tuple[PlannedChild, ...] = ()
    if batch is not None:
        blockers += conditions.lasting(transition, batch)
        blockers += conditions.unready_states(transition, batch)
        warnings += batch.warnings()
    if rehearsed is not None:
        children = affected.with_steps(rehearsed.children, transition.script)
        without_step, perhaps = affected.forgotten(children, transition.script)
        known = {blocker.pid for blocker in blockers}
        blockers += [one for one in rehearsal.blockers(rehearsed.rehearsal) if one.pid is None or one.pid not in known]
        blockers += without_step
        warnings += [*perhaps, *rehearsal.warnings(rehearsed)]
    return Plan(
        id=transition.plan_id(generation),
        direction=transition.direction,
        from_vsn=transition.left.vsn,
        to_vsn=transition.target.vsn,
        generation=generation,
        modules=tuple(_modules(transition, code, batch)),
        processes=tuple(touched),
        instructions=tuple(sentence(step) for _, step in affected.numbered(transition.script)),
        point_of_no_return=transition.bar,
        configuration=transition.difference,
        blockers=tuple(blockers),
        warnings=(*warnings, *map(str, drift)),
        way_back=way_back,
        children=children,
        irreversible=tuple(
            f"{function} is applied without an undo: it can't be put back." for function in transition.irreversible
        ),
        pause=None if rehearsed is None else _pause(rehearsed.rehearsal, touched),
        rehearsal=None if rehearsed is None else rehearsed.rehearsal,
    )


def _pause(rehearsed: Rehearsal, touched: Sequence[PlannedProcess]) -> float:
    """How long the processes will be suspended, once their callbacks have ended."""
    held = any(one.action in ("migrate", "suspend") for one in touched)
    return rehearsed.pause + rehearsed.around if held else 0.0


def no_plan(left: str, target: str, generation: int, obstacle: Blocker | None = None) -> Plan:
    """The plan without a script: the target is current already, or no way leads to it."""
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
        blockers=() if obstacle is None else (obstacle,),
        warnings=(),
        way_back=obstacle is None,
        nothing_to_do=obstacle is None,
    )


async def prepare(transition: Transition, code: CodeServer) -> tuple[Batch | None, Blocker | None]:
    """Compile and execute the new code in a thread; what is wrong with that, as a blocker."""
    try:
        return await asyncio.to_thread(code.prepare, transition.sources, transition.removed), None
    except OldVersionHeld as held:
        return None, await _held(held, code)
    except Refused as refused:
        return None, Blocker(reason=_clause(refused), remedy=REMEDY_CODE)


async def _held(held: OldVersionHeld, code: CodeServer) -> Blocker:
    """Who is in the way: the processes that run the old version, or else what is found to hold it."""
    if held.pids:
        remedy = f"{conditions.WAIT}, or end the processes that run the old version"
        return Blocker(reason=_clause(held), remedy=remedy, pid=int(held.pids[0]), transient=True)
    found = "; ".join((await code.holders(held.module))[:HOLDERS])
    reason = f"{held.module} still has an old version: {found}" if found else _clause(held)
    return Blocker(reason=reason, remedy=f"{conditions.WAIT}, or end what holds it", transient=True)


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
    """The other modules of the batch that a new version imports; a package's submodule may be written as its name."""
    entries = batch.version(module).imports.entries
    imported = {entry.module for entry in entries} | {f"{entry.module}.{entry.name}" for entry in entries}
    return tuple(other for other in batch.modules if other != module and other in imported)


def _sums(release: Unpacked) -> dict[str, str]:
    return {module: entry.sha256 for app in release.manifest.apps for module, entry in app.modules.items()}


def _warnings(transition: Transition) -> list[str]:
    warnings: list[str] = []
    for module in transition.suspended:
        warnings += [
            f"{conditions.title(process)} runs {module}:{process.qualname} without callbacks: it is not held, "
            f"and finishes in the version in which it began."
            for process in conditions.coroutines(module)
        ]
    for module in transition.removed:
        if users := conditions.users(module):
            warnings.append(
                f"{conditions.title(users[0])} runs {module}, which is deleted: the script has to stop it before."
            )
    return warnings
