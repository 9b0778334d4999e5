"""Plans: the effects that an upgrade or a downgrade would have on this node now. A plan changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import takewhile

import msgspec

from node_runtime.code import AroundBody, Batch, CodeServer, Drift, OldVersionHeld, SourceText
from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import (
    Blocker,
    Direction,
    Plan,
    PlannedChild,
    PlannedModule,
    PlannedProcess,
    Rehearsal,
)

from . import rehearsal
from .files.config import read_configuration
from .files.relup_instructions import Load, RelupInstruction, Remove
from .planning import affected, conditions, coroutines, without_callbacks
from .planning.data_files import changed_files, unlisted_files
from .planning.old_versions import collection_warning, held_blocker
from .planning.staying import staying_warnings
from .planning.transition import Transition, cold_remedy
from .planning.worker_processes import worker_warnings
from .relup.instruction_text import sentence
from .store.unpacked_release import UnpackedRelease

REMEDY_CODE = rehearsal.REMEDIES_LOAD["raised"]


class PlanLock:
    """The lock that lets a node make one plan at a time, so that an install waits for at most one rehearsal."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


class _Findings(msgspec.Struct, frozen=True):
    """The findings about the live node.

    `rehearsed` is None if the new code can't be loaded. `obstacles` are the blockers that were found outside the
    rehearsal. `drift` lists the modules that differ from their release. `affected` lists the processes that the script
    affects. `collection` is the time that a needed garbage collection takes, in seconds.
    """

    rehearsed: rehearsal.RehearsalEnd | None
    obstacles: Sequence[Blocker]
    drift: Sequence[Drift]
    affected: Sequence[PlannedProcess]
    collection: float = 0.0


async def make_plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    *,
    rollback_path: Sequence[str] | None,
    on_progress: rehearsal.ProgressCallback,
) -> Plan:
    """Make the plan for a transition. The new code is compiled and executed only in a copy of the node.

    `rollback_path` is the path from the transition's target to the permanent release; None if there is none.
    """
    obstacles = []
    if reason := transition.restart_reason():
        name = read_configuration(transition.left.root, transition.left.vsn).node.name
        remedy = cold_remedy(name, transition.target.vsn)
        obstacles.append(Blocker(reason=f"{reason}: this needs a restart of the node", remedy=remedy))
    drift = await asyncio.to_thread(code.modified, _sums(transition.left))
    texts, collection, obstacle = await _read(transition, code)
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
    findings = _Findings(rehearsed, obstacles, drift, processes, collection)
    return _plan(transition, code, generation, findings, rollback_path=rollback_path)


def _plan(
    transition: Transition,
    code: CodeServer,
    generation: int,
    findings: _Findings,
    *,
    rollback_path: Sequence[str] | None,
) -> Plan:
    rehearsed, left = findings.rehearsed, transition.left.vsn
    new_code = None if rehearsed is None else rehearsed.code
    blockers, warnings = list(findings.obstacles), _warnings(transition)
    warnings += without_callbacks.warnings(transition, code)
    stays = None if rehearsed is None else rehearsed.stays
    served = () if new_code is None else new_code.served
    warnings += staying_warnings(transition, code, stays, served)
    warnings += [*worker_warnings(transition), *unlisted_files(transition)]
    children: tuple[PlannedChild, ...] = ()
    if new_code is not None:
        blockers += new_code.blockers
        warnings += new_code.warnings
    if rehearsed is not None:
        blockers += rehearsed.live_values.blockers
        warnings += rehearsed.live_values.warnings
        children = affected.with_steps(rehearsed.children, transition.script)
        without_step, unless_applied = affected.children_without_step(children, transition.script)
        known = {blocker.pid for blocker in blockers}
        blockers += [one for one in rehearsal.blockers(rehearsed.rehearsal) if one.pid is None or one.pid not in known]
        blockers += without_step
        warnings += [*unless_applied, *rehearsal.warnings(rehearsed)]
        warnings += rehearsal.dropped(rehearsed.rehearsal, transition.target.vsn)
    if findings.collection:
        warnings.append(collection_warning(findings.collection))
    return Plan(
        id=transition.plan_id(generation),
        direction=transition.direction,
        from_vsn=left,
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
        and (rehearsed is None or not rehearsal.blocks_way_back(rehearsed.rehearsal, left, rollback_path)),
        children=children,
        irreversible=tuple(
            f"{function} is applied without an undo, so a failed install can't undo its effects."
            for function in transition.irreversible
        ),
        pause=None if rehearsed is None else _pause(rehearsed.rehearsal, findings.affected) + findings.collection,
        rehearsal=None if rehearsed is None else rehearsed.rehearsal,
        files=changed_files(transition),
        live_values=() if rehearsed is None else rehearsed.live_values.values,
        lost=(
            *(() if rehearsed is None else rehearsal.lost(rehearsed.rehearsal, transition.target.vsn)),
            *(() if new_code is None else rehearsal.lost_values(new_code)),
        ),
        lost_on_way_back=(
            *(() if rehearsed is None else rehearsal.lost_on_way_back(rehearsed.rehearsal, left)),
            *(() if new_code is None else rehearsal.changes_lost_on_way_back(new_code, left)),
        ),
        module_values=() if new_code is None else new_code.module_values,
        stall=None if rehearsed is None else _stall(transition, rehearsed.rehearsal),
    )


def _pause(rehearsed: Rehearsal, processes: Sequence[PlannedProcess]) -> float:
    """Return an estimate, in seconds, of how long bodies stop the event loop and processes are suspended."""
    held = any(one.action in ("migrate", "suspend") for one in processes)
    return (rehearsed.bodies or 0.0) + (rehearsed.pause + rehearsed.around if held else 0.0)


def _stall(transition: Transition, rehearsed: Rehearsal) -> str | None:
    """Return a sentence if the bodies of the new modules stop the event loop for longer than the node's limit."""
    limit = transition.configuration.node.stall
    if rehearsed.bodies is None or rehearsed.bodies <= limit:
        return None
    return (
        f"The node stops for about {rehearsed.bodies:.2g} s while it executes the bodies of the new modules (limit "
        f"{limit:g} s, `stall` in node.toml)."
    )


def no_plan(
    left: str,
    target: str,
    generation: int,
    obstacle: Blocker | None = None,
    hops: tuple[Direction, list[str]] = ("up", []),
) -> Plan:
    """Return a plan without a script. The target is already current, or `obstacle` makes it unreachable.

    If several installs, one after the other, lead to the target nevertheless, `hops` has their direction and releases.
    """
    direction, releases = hops
    return Plan(
        id="",
        direction=direction,
        hops=tuple(releases),
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


def with_failure(plan: Plan, failed: str | None) -> Plan:
    """Return the plan with a warning if its release has failed on this node before, for the reason `failed`."""
    if failed is None:
        return plan
    warning = (
        f"Release {plan.to_vsn} failed on this node before: {failed.rstrip('.')}. To install it again, pass "
        f"--again, or type the version in the dashboard."
    )
    return msgspec.structs.replace(plan, warnings=(warning, *plan.warnings))


async def _read(transition: Transition, code: CodeServer) -> tuple[list[SourceText] | None, float, Blocker | None]:
    """Read the new code in a thread. Return its sources, the seconds of a garbage collection, and a blocker.

    If the new code can't be loaded, the sources are None, and the blocker says why; otherwise the blocker is None. The
    seconds are 0 if the install needs no garbage collection.
    """

    def read() -> tuple[list[SourceText], float]:
        texts = code.read(transition.sources)
        return texts, code.check_free(texts, transition.removed, collect=False)

    try:
        return *await asyncio.to_thread(read), None
    except OldVersionHeld as held:
        return None, 0.0, held_blocker(held)
    except Refused as refused:
        return None, 0.0, Blocker(reason=_clause(refused), remedy=REMEDY_CODE)


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
                registers=() if new_code is None else new_code.registers.get(module, ()),
                opens=() if new_code is None else new_code.opens.get(module, ()),
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
        stopped = affected.pids_of_stopped(_steps_before_removal(transition, module))
        if users := [one for one in conditions.callback_processes(module) if int(one.pid) not in stopped]:
            label = conditions.process_label(users[0])
            warnings.append(
                f"{label} runs {module}, which the script deletes; let the appup stop {label} before the deletion."
            )
    brutal = [
        step.module
        for step in transition.script
        if isinstance(step, Load | Remove) and step.pre_purge == "brutal_purge"
    ]
    if brutal:
        warnings.append(
            f'pre_purge = "brutal_purge" of {" and ".join(brutal)} has no effect: an upgrade ends nothing that keeps '
            f"an old version in use. `hotdash purge NODE MODULE` ends it."
        )
    return warnings


def _steps_before_removal(transition: Transition, module: str) -> list[RelupInstruction]:
    """Return the instructions of the script that come before the removal of a module."""
    return list(takewhile(lambda step: not (isinstance(step, Remove) and step.module == module), transition.script))
