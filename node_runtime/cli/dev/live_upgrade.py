"""Upgrades a development node to a changed project: stage, plan, install, commit, and remove the previous release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import Project
from node_runtime.releases.build.source_release import write_source_tarball
from node_runtime.releases.planning.conditions import WAIT_REMEDY

NEW_BUILD: Final = "build the release under a new vsn"
"""The end of remedies in plans. In a development node, a save is enough."""
SAVE: Final = "save it"


class LiveUpgrade(msgspec.Struct, frozen=True):
    """What an upgrade did: the modules that it loaded, and sentences about what it lost or left in old code."""

    vsn: str
    modules: tuple[str, ...]
    processes: int
    notes: tuple[str, ...]


class Blocked(Refused):
    """An upgrade that is possible as soon as something ends, such as a websocket that runs old code."""


class Outdated(Exception):
    """The files of the project have changed since they were read."""


async def upgrade_live(
    client: Client, project: Project, folder: Path, is_outdated: Callable[[], bool] = lambda: False
) -> LiveUpgrade:
    """Upgrade the node to the project, whose tarball is written to `folder`; its processes keep their states.

    Raises Blocked if only something that will end is in the way, Refused if the node can't do this for another reason,
    and Outdated if `is_outdated` returns true just before the install. Then the old code continues to run, and the
    staged release is removed.
    """
    vsn = project.release.vsn
    tarball = write_source_tarball(project, folder / f"{project.release.name}-{vsn}.tar.gz")
    try:
        await client.stage(tarball)
        try:
            plan = await client.plan(vsn)
            _check(plan)
            if is_outdated():
                raise Outdated
            await _install(client, plan)
        except BaseException:
            await client.request(methods.REMOVE, m.ReleaseVsn(vsn=vsn))
            raise
    finally:
        tarball.unlink(missing_ok=True)
    await client.request(methods.COMMIT, m.Commit())
    await client.request(methods.REMOVE, m.ReleaseVsn(vsn=plan.from_vsn))
    return LiveUpgrade(vsn, tuple(module.name for module in plan.modules), len(plan.processes), _notes(plan))


async def has_switched(client: Client, vsn: str) -> bool:
    """Return whether the node runs `vsn`, after a failure with an unknown outcome. If it does, commit the release."""
    for release in (await client.request(methods.RELEASES)).releases:
        if release.vsn == vsn and release.status == "current":
            await client.request(methods.COMMIT, m.Commit())
            return True
        if release.vsn == vsn and release.status == "permanent":
            return True
    return False


def _check(plan: m.Plan) -> None:
    """Raise Refused if the plan has a blocker."""
    if plan.blockers:
        said = [f"{blocker.reason}: {_remedy(blocker)}." for blocker in plan.blockers]
        transient = [blocker.transient for blocker in plan.blockers]
        if all(transient):
            said.append("The saved code is installed as soon as this is gone.")
        if any(transient):  # not a mistake in the code
            said.append("Or end `node-runtime dev` and start it again: all code is new then, and the states are lost.")
        raise (Blocked if all(transient) else Refused)("\n".join(said))


def _remedy(blocker: m.Blocker) -> str:
    return blocker.remedy.replace(NEW_BUILD, SAVE).replace(WAIT_REMEDY, "wait")


async def _install(client: Client, plan: m.Plan) -> None:
    """Install the plan, even if code can't be rehearsed, and wait for the end of the install."""
    request = m.Install(vsn=plan.to_vsn, direction=plan.direction, plan_id=plan.id, unrehearsed=True, again=True)
    started = await client.request(methods.INSTALL, request)
    done = [state async for state in client.follow(started.operation)][-1]
    if done.outcome != "installed":
        raise Refused(done.error or f"The upgrade ended as {done.outcome}.")


def _notes(plan: m.Plan) -> tuple[str, ...]:
    parameters = (
        f"The parameter {name} is now {after}. A process that has read {before} keeps it, unless config_change of the "
        "application handles the change."
        for name, before, after in plan.configuration
    )
    return (*plan.lost, *parameters, *plan.warnings)
