"""The transition from one release to another: what is known about it from files, without the live processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, assert_never

import msgspec

from node_runtime.behaviours.show.secret_comparison import keyed_digest
from node_runtime.code import Source
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.config import Configuration
from node_runtime.releases.files.relup_instructions import (
    Apply,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    RelupInstruction,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendProcesses,
    SyncNodes,
)
from node_runtime.releases.relup.relup_json import instruction_json
from node_runtime.releases.relup.script_modules import ScriptModules, script_modules
from node_runtime.releases.store.catalog import Catalog
from node_runtime.releases.store.unpacked_release import UnpackedRelease

from . import config_difference

DEFAULT_HOLD_SECONDS = 5.0
"""A process must end its callback and be suspended within this time, unless the appup sets another timeout."""

REVERTIBLE_FUNCTIONS = frozenset(
    f"node_runtime.{name}"
    for name in (
        "supervisor:start_child",
        "supervisor:terminate_child",
        "supervisor:restart_child",
        "supervisor:delete_child",
        "application:start",
        "application:stop",
        "application:load",
        "application:unload",
        "application:set_env",
        "application:unset_env",
        "gen_server:stop",
        "web:start_asgi",
        "web:start_http",
        "web:stop_http",
        "web:set_routes",
        "web:set_websockets",
    )
)
"""The functions of the runtime whose effects a failed install undoes without an `undo`."""


@dataclass(frozen=True)
class Transition:
    """The transition from release `left` to release `target`.

    `environment` has the present environment of the applications. `script` is the relup's script for this direction.
    `script_back` is the script from `target` to `left`, or None if there is none.
    """

    left: UnpackedRelease
    target: UnpackedRelease
    direction: Direction
    script: list[RelupInstruction]
    environment: Mapping[str, Mapping[str, Any]]
    configuration: Configuration
    script_back: list[RelupInstruction] | None = None

    @cached_property
    def point_of_no_return(self) -> int:
        """The index of the point of no return in the script."""
        return self.script.index(PointOfNoReturn())

    @cached_property
    def modules(self) -> ScriptModules:
        """The modules that the script names, grouped by what the script does to them."""
        return script_modules(self.script)

    @cached_property
    def loaded(self) -> list[str]:
        """The modules that have a new version when the script has ended, in the script's order."""
        return [module for module, change in self.modules.last_changes.items() if change == "load"]

    @cached_property
    def removed(self) -> list[str]:
        """The modules that are gone when the script has ended: not those that it removes and loads again."""
        return [module for module, change in self.modules.last_changes.items() if change == "remove"]

    @cached_property
    def sources(self) -> list[Source]:
        """The sources of the modules that the script loads."""
        return [self.target.sources[module] for module in self.loaded]

    @cached_property
    def suspended(self) -> list[str]:
        """The modules whose processes the script suspends."""
        return [entry.module for entry in self.modules.suspended]

    @cached_property
    def migrated(self) -> set[str]:
        """The modules whose processes the script takes through code_change."""
        return set(self.modules.migrated)

    @property
    def irreversible(self) -> list[str]:
        """The functions that are applied after the point of no return and whose effects a failed install can't undo."""
        behind = self.script[self.point_of_no_return :]
        return [function for step in behind if (function := _irreversible(step)) is not None]

    def action(self, module: str) -> Literal["load", "suspend", "migrate"]:
        """Return what the script does to the processes of a module."""
        if module in self.migrated:
            return "migrate"
        return "suspend" if module in self.suspended else "load"

    @cached_property
    def hold_seconds(self) -> float:
        """The time limit for suspending all processes: the longest timeout in the script."""
        timeouts = (entry.timeout for entry in self.modules.suspended)
        seconds = (DEFAULT_HOLD_SECONDS if timeout is None else float(timeout) for timeout in timeouts)
        return max(seconds, default=DEFAULT_HOLD_SECONDS)

    @cached_property
    def new_environment(self) -> dict[str, dict[str, Any]]:
        """The applications' parameters in the target."""
        return self.target.environment(self.configuration)

    @cached_property
    def difference(self) -> tuple[tuple[str, str, str], ...]:
        """The parameters that change, as ("app.key", before, after). Secrets are redacted."""
        return config_difference.difference(self.environment, self.new_environment)

    def restart_reason(self) -> str | None:
        """Return why this transition needs a restart of the node; None if it needs none.

        A restart is needed for another Python, other third-party code, and some instructions.
        """
        left, target = self.left.manifest, self.target.manifest
        if left.python != target.python:
            return f"release {target.vsn} needs Python {target.python}, but the node runs Python {left.python}"
        gone, come = sorted({*left.path} - {*target.path}), sorted({*target.path} - {*left.path})
        if gone or come:
            names = ", ".join(path.removeprefix("lib/") for path in (come or gone))
            return f"release {target.vsn} {'has other' if come else 'no longer has'} third-party code: {names}"
        return next((reason for step in self.script if (reason := _restart_reason(step)) is not None), None)

    def plan_id(self, generation: int) -> str:
        """Return the id of a plan: a digest of both releases, the script, the configuration and the generation.

        The id is public, and the configuration may contain secrets. So the digest is keyed: nobody can use it to check
        a guess of a secret. `generation` counts the changes of the node that make earlier plans stale.
        """
        facts = [
            *(sha256(msgspec.json.encode(one.manifest)).hexdigest() for one in (self.left, self.target)),
            self.direction,
            [instruction_json(step) for step in self.script],
            config_difference.canonical_text(self.environment),
            config_difference.canonical_text(self.new_environment),
            generation,
        ]
        return keyed_digest(json.dumps(facts).encode()).hex()[:16]


def cold_remedy(node: str, vsn: str) -> str:
    """Return the remedy for a release that can't be loaded into the running node."""
    return (
        f"run 'hotdash upgrade {node} {vsn} --cold', which restarts the node into release {vsn} on probation; the "
        f"states of all processes, their messages, the connections and the values in modules are lost"
    )


def make_transition(
    catalog: Catalog, left: str, target: str, environment: Mapping[str, Mapping[str, Any]]
) -> Transition:
    """Return the transition between two releases, read from their files and appups. Raises `NoPath` or `Refused`."""
    path = catalog.relup_path(left, target)
    return Transition(
        catalog.release(left),
        catalog.release(target),
        path.direction,
        path.script,
        environment,
        catalog.configuration(target),
        _script_back(catalog, left, target),
    )


def _script_back(catalog: Catalog, left: str, target: str) -> list[RelupInstruction] | None:
    if catalog.direction(target, left) is None:
        return None
    return catalog.relup_path(target, left).script


def _irreversible(step: RelupInstruction) -> str | None:
    """Return the name of the applied function whose effects a failed install can't undo; None if there is none."""
    match step:
        case Apply():
            return step.function if step.undo is None and step.function not in REVERTIBLE_FUNCTIONS else None
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | Load()
            | Remove()
            | Purge()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | RestartChild()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            return None
        case _:
            assert_never(step)


def _restart_reason(step: RelupInstruction) -> str | None:
    """Return why an instruction can't be carried out on a live node; None if it can."""
    match step:
        case RestartEmulator() | RestartNewEmulator():
            return f"the script restarts the node ({step.name})"
        case SyncNodes():
            return f"the script waits for other nodes ({step.name})"
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | Load()
            | Remove()
            | Purge()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | RestartChild()
            | Apply()
        ):
            return None
        case _:
            assert_never(step)
