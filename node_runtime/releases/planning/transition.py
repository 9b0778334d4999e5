"""All that going from one release to another is about, as far as it follows from the files: no live process in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, assert_never

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
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendedModule,
    SuspendProcesses,
    SyncNodes,
)
from node_runtime.releases.relup.relup_json import instruction_json
from node_runtime.releases.store.catalog import Catalog, Unpacked

from . import config_difference

HOLD_SECONDS = 5.0

INVERSES = frozenset(
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
        "web:start_http",
        "web:stop_http",
        "web:set_routes",
    )
)
"""Functions that a failed install takes back by itself."""


@dataclass(frozen=True)
class Transition:
    """From `left`, whose environment is in force, to `target`. `script` is the relup's list for this way.

    `back` is the list of the way down again, after an upgrade; None if there is none.
    """

    left: Unpacked
    target: Unpacked
    direction: Direction
    script: list[RelupInstruction]
    environment: Mapping[str, Mapping[str, Any]]
    configuration: Configuration
    back: list[RelupInstruction] | None = None

    @cached_property
    def bar(self) -> int:
        """Where in the script the point of no return stands."""
        return self.script.index(PointOfNoReturn())

    @cached_property
    def loaded(self) -> list[str]:
        """The modules that get a new version, in the script's order."""
        return [step.module for step in self.script if isinstance(step, Load)]

    @cached_property
    def removed(self) -> list[str]:
        """The modules that go."""
        return [step.module for step in self.script if isinstance(step, Remove)]

    @cached_property
    def sources(self) -> list[Source]:
        """What is to be prepared."""
        return [self.target.sources[module] for module in self.loaded]

    @cached_property
    def suspended(self) -> list[str]:
        """The modules whose processes are held."""
        return [entry.module for entry in self._suspensions]

    @cached_property
    def migrated(self) -> set[str]:
        """The modules whose processes go through code_change."""
        return {entry.module for step in self.script if isinstance(step, CodeChange) for entry in step.modules}

    @property
    def irreversible(self) -> list[str]:
        """The functions that the script applies after the bar, and that nothing can undo."""
        return [function for step in self.script[self.bar :] if (function := _irreversible(step)) is not None]

    def action(self, module: str) -> Literal["load", "suspend", "migrate"]:
        """What happens to the processes of a module."""
        if module in self.migrated:
            return "migrate"
        return "suspend" if module in self.suspended else "load"

    @cached_property
    def hold_seconds(self) -> float:
        """The one deadline for holding: the longest that an instruction asks for."""
        asked = [HOLD_SECONDS if entry.timeout is None else entry.timeout for entry in self._suspensions]
        return max((math.inf if seconds == "infinity" else float(seconds) for seconds in asked), default=HOLD_SECONDS)

    @property
    def _suspensions(self) -> list[SuspendedModule]:
        return [entry for step in self.script if isinstance(step, SuspendProcesses) for entry in step.modules]

    @cached_property
    def new_environment(self) -> dict[str, dict[str, Any]]:
        """The applications' parameters afterwards."""
        return self.target.environment(self.configuration)

    @cached_property
    def difference(self) -> tuple[tuple[str, str, str], ...]:
        """Parameters that change: "app.key", before, after; what is secret by its name is not shown."""
        return config_difference.difference(self.environment, self.new_environment)

    def restart_reason(self) -> str | None:
        """Why this can't be done on a live node: what isn't the applications' code differs."""
        left, target = self.left.manifest, self.target.manifest
        if left.python != target.python:
            return f"{target.vsn} needs Python {target.python}, and the node runs {left.python}"
        gone, come = sorted({*left.path} - {*target.path}), sorted({*target.path} - {*left.path})
        if gone or come:
            names = ", ".join(path.removeprefix("lib/") for path in (come or gone))
            return f"{target.vsn} {'has' if come else 'lacks'} other third-party code: {names}"
        return next((reason for step in self.script if (reason := _restart_reason(step)) is not None), None)

    def plan_id(self, generation: int) -> str:
        """What a plan is bound to: both releases, the script, the configuration, and how often the node changed."""
        facts = [
            sha256(self.left.manifest.encoded()).hexdigest(),
            sha256(self.target.manifest.encoded()).hexdigest(),
            self.direction,
            [instruction_json(step) for step in self.script],
            config_difference.written(self.environment),
            config_difference.written(self.new_environment),
            generation,
        ]
        return sha256(json.dumps(facts).encode()).hexdigest()[:16]


def make_transition(
    catalog: Catalog, left: str, target: str, environment: Mapping[str, Mapping[str, Any]]
) -> Transition:
    """Read both releases and the way between them. Raises `NoPath` or `Refused`."""
    way = catalog.way(left, target)
    return Transition(
        catalog.release(left),
        catalog.release(target),
        way.direction,
        way.script,
        environment,
        catalog.configuration(target),
        _way_back(catalog, left, target) if way.direction == "up" else None,
    )


def _way_back(catalog: Catalog, left: str, target: str) -> list[RelupInstruction] | None:
    if catalog.direction(target, left) is None:
        return None
    return catalog.way(target, left).script


def _irreversible(step: RelupInstruction) -> str | None:
    """Return the function that an instruction applies, if a failed install can't revert it."""
    match step:
        case Apply():
            return step.function if step.undo is None and step.function not in INVERSES else None
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
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            return None
        case _:
            assert_never(step)


def _restart_reason(step: RelupInstruction) -> str | None:
    """Return why an instruction can't be carried out on a live node."""
    match step:
        case RestartEmulator() | RestartNewEmulator():
            return f"its script restarts the node ({step.name})"
        case SyncNodes():
            return f"its script waits for other nodes ({step.name})"
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
            | Apply()
        ):
            return None
        case _:
            assert_never(step)
