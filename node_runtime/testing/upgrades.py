"""Takes a state through an upgrade to another release, and back, in the test's own process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_runtime import process_info, registered, sys, whereis
from node_runtime.protocol.messages import Operation, Plan
from node_runtime.releases.appups.next_version import next_version, with_release_vsn
from node_runtime.releases.build.project import Project, read_project

from .given_states import moved, with_fields
from .in_process_node import in_process_node
from .parameters import AppParameters
from .plain_values import FieldValues, keeps, plain


@dataclass(frozen=True, slots=True)
class StateJourney:
    """One state before an upgrade, after it, and after the way back, as plain values: an object is a dict of fields."""

    before: Any
    up: Any
    down: Any


class UpgradeFailed(AssertionError):
    """An upgrade that was refused or failed, or that has not kept a state."""


async def take_through(
    old: Path | str,
    new: Path | str,
    *,
    state: Any = None,
    process: str | None = None,
    env: AppParameters | None = None,
    up: Any = None,
    down: Any = None,
) -> StateJourney:
    """Boot `old`, give a process a state, upgrade to `new`, go back, and compare the states.

    `old` and `new` are the folders of projects. If `new` has the same version as `old`, or no appup from `old`, `new`
    gets a new version and a generated appup. `state` is an object, or a mapping with values for some fields of the
    state with which the process has started; in a mapping, each object may be a mapping of its fields. Without `state`,
    only the upgrade and the way back are tested, and no states are compared. `process` is the name of the process that
    gets the state; it may be left out if the state can belong to only one process. `env` has parameters of
    applications; a port that `env` does not set is 0, so a free port is used.

    After the upgrade, the state must be `up`. Without `up`, no data may be lost: in the state and in each object in the
    state, the fields that both versions have must keep their values. After the way back, the state must be `down`;
    without `down`, it must equal the state before the upgrade. Raises UpgradeFailed, and Refused for a mistake in a
    project.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    before = read_project(Path(old))
    after = next_version(before, read_project(Path(new)), "+next").project
    if after is before:
        after = _relabelled(before)
    try:
        with tempfile.TemporaryDirectory(prefix="node-runtime-test-") as folder:
            async with in_process_node(Path(folder), (before, after), env or {}) as node:
                name = process or (None if state is None else await _find_process(state))
                first = None if name is None else plain(await sys.replace_state(name, _replacement(state)))
                _check_plan(await node.handler.plan(after.release.vsn), may_lose=up is not None)
                _check_operation(await node.upgrade(after.release.vsn), "installed")
                upgraded = None if name is None else plain(await sys.get_state(name))
                _compare(upgraded, first if up is None else plain(up), "after the upgrade", partly=up is None)
                _check_operation(await node.go_back(), "reverted")
                returned = None if name is None else plain(await sys.get_state(name))
                _compare(returned, first if down is None else plain(down), "after the way back", partly=False)
    except UpgradeFailed as failed:
        raise UpgradeFailed(_with_paths_of(after, Path(new), folder, str(failed))) from None
    return StateJourney(first, upgraded, returned)


def _with_paths_of(project: Project, source: Path, folder: str, text: str) -> str:
    """Return a text that names the files of the project in `source` instead of their copies in `folder`."""
    for app in project.apps:
        if (source / "apps" / app.app.name / "src").is_dir():  # else the sources are outside of the project
            text = text.replace(f"{folder}/{app.directory}/", f"{source}/apps/{app.app.name}/")
    return text


def _relabelled(project: Project) -> Project:
    """Return the same project as a release of another version, with no other change."""
    return with_release_vsn(project, f"{project.release.vsn}+next")


def _replacement(state: Any) -> Callable[[Any], Any]:
    """Return the function that makes a state of the old release from the value that the test passes."""

    def replace(current: Any) -> Any:
        return with_fields(current, state) if isinstance(state, Mapping) else moved(state)

    return replace


async def _find_process(state: Any) -> str:
    """Return the name of the only process to which the state can belong. Raises UpgradeFailed."""
    wanted = None if isinstance(state, Mapping) else _class_name(state)
    known = {name: await _class_of_state(name) for name in registered()}
    found = [name for name, cls in known.items() if cls is not None and wanted in {None, cls}]
    if len(found) == 1:
        return found[0]
    of = "" if wanted is None else f" with a {wanted.rpartition('.')[2]}"
    which = f"there are {', '.join(sorted(found))}" if found else "there is none"
    raise UpgradeFailed(f"The old release must have one process{of}, but {which}; pass process= with its name.")


async def _class_of_state(name: str) -> str | None:
    """Return the name of the class of a process's state; None for a process that isn't the project's own."""
    pid = whereis(name)
    info = process_info(pid) if pid is not None else None
    if info is None or info.kind not in ("gen_server", "gen_statem") or info.module.startswith("node_runtime."):
        return None
    return _class_name(await sys.get_state(name))


def _class_name(state: Any) -> str:
    """Return the class of a state. The state of a state machine is a pair: return the class of its data."""
    data = state[1] if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], str) else state
    return f"{type(data).__module__}.{type(data).__qualname__}"


def _check_plan(plan: Plan, *, may_lose: bool) -> None:
    if plan.blockers:
        why = "\n".join(f"{blocker.reason}: {blocker.remedy}." for blocker in plan.blockers)
        raise UpgradeFailed(f"The upgrade from {plan.from_vsn} to {plan.to_vsn} is refused:\n{why}")
    if plan.lost and not may_lose:
        raise UpgradeFailed("\n".join(("The upgrade would lose data:", *plan.lost)))


def _check_operation(operation: Operation, wanted: str) -> None:
    if operation.outcome != wanted:
        why = operation.error or operation.outcome
        raise UpgradeFailed(f"The change from {operation.from_vsn} to {operation.to_vsn} failed: {why}")


def _compare(state: Any, wanted: Any, when: str, *, partly: bool) -> None:
    """Raise UpgradeFailed if `state` differs from `wanted`. With `partly`, only common fields are compared."""
    if partly and isinstance(state, dict) and isinstance(wanted, dict):
        state, wanted = FieldValues(state), FieldValues(wanted)  # the keys of a state that is a dict are its fields
    if not (keeps(state, wanted) if partly else state == wanted):
        raise UpgradeFailed(f"The state {when} is\n  {state}\nbut should be\n  {wanted}")
