"""All that going from one release to another is about, as far as it follows from the files: no live process in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

from node_runtime.code import Source
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.appup_instructions import Low
from node_runtime.releases.files.config import Configuration
from node_runtime.releases.relup.translation import PONR
from node_runtime.releases.store.catalog import Catalog, Unpacked

from . import config_difference

HOLD_SECONDS = 5.0
NOT_HOT = {
    "restart_emulator": "restarts the node",
    "restart_new_emulator": "restarts the node",
    "sync_nodes": "waits for other nodes",
}


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
    script: list[Low]
    environment: Mapping[str, Mapping[str, Any]]
    configuration: Configuration
    back: list[Low] | None = None

    @cached_property
    def bar(self) -> int:
        """Where in the script the point of no return stands."""
        return self.script.index([PONR])

    @cached_property
    def loaded(self) -> list[str]:
        """The modules that get a new version, in the script's order."""
        return [step[1] for step in self.script if step[0] == "load"]

    @cached_property
    def removed(self) -> list[str]:
        """The modules that go."""
        return [step[1] for step in self.script if step[0] == "remove"]

    @cached_property
    def sources(self) -> list[Source]:
        """What is to be prepared."""
        return [self.target.sources[module] for module in self.loaded]

    @cached_property
    def suspended(self) -> list[str]:
        """The modules whose processes are held."""
        entries = [entry for step in self.script if step[0] == "suspend" for entry in step[1]]
        return [entry if isinstance(entry, str) else entry[0] for entry in entries]

    @cached_property
    def migrated(self) -> set[str]:
        """The modules whose processes go through code_change."""
        return {module for step in self.script if step[0] == "code_change" for module, _ in step[2]}

    @property
    def irreversible(self) -> list[str]:
        """The functions that the script applies after the bar, and that nothing can undo."""
        applies = (step for step in self.script[self.bar :] if step[0] == "apply" and step[3]["undo"] is None)
        return [step[1] for step in applies if step[1] not in INVERSES]

    def action(self, module: str) -> Literal["load", "suspend", "migrate"]:
        """What happens to the processes of a module."""
        if module in self.migrated:
            return "migrate"
        return "suspend" if module in self.suspended else "load"

    @cached_property
    def hold_seconds(self) -> float:
        """The one deadline for holding: the longest that an instruction asks for."""
        entries = [entry for step in self.script if step[0] == "suspend" for entry in step[1]]
        asked = [HOLD_SECONDS if isinstance(entry, str) else entry[1] for entry in entries]
        return max((math.inf if seconds == "infinity" else float(seconds) for seconds in asked), default=HOLD_SECONDS)

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
        return next((f"its script {NOT_HOT[step[0]]} ({step[0]})" for step in self.script if step[0] in NOT_HOT), None)

    def plan_id(self, generation: int) -> str:
        """What a plan is bound to: both releases, the script, the configuration, and how often the node changed."""
        facts = [
            sha256(self.left.manifest.encoded()).hexdigest(),
            sha256(self.target.manifest.encoded()).hexdigest(),
            self.direction,
            self.script,
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


def _way_back(catalog: Catalog, left: str, target: str) -> list[Low] | None:
    if catalog.direction(target, left) is None:
        return None
    return catalog.way(target, left).script
