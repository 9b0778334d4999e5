"""The modules and functions that a relup's script names, grouped by what the instructions do to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, assert_never

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
    SuspendedModule,
    SuspendProcesses,
    SyncNodes,
)


@dataclass(slots=True)
class ScriptModules:
    """Lists of module names in the script's order. If several instructions name a module, the list repeats it."""

    read: list[str] = field(default_factory=list)
    """Modules whose code `load_object_code` reads."""
    loaded: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    last_changes: dict[str, Literal["load", "remove"]] = field(default_factory=dict)
    """The last change of each module: a restart of an application removes its modules and loads them again."""
    suspended: list[SuspendedModule] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    migrated: list[str] = field(default_factory=list)
    """Modules whose processes go through `code_change`."""
    stopped: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    """The functions that `apply` calls."""

    def add(self, step: RelupInstruction) -> None:
        """Add the modules, or the function, of one instruction to the lists."""
        match step:
            case LoadObjectCode():
                self.read += step.modules
            case Load():
                self.loaded.append(step.module)
                self._change(step.module, "load")
            case Remove():
                self.removed.append(step.module)
                self._change(step.module, "remove")
            case SuspendProcesses():
                self.suspended += step.modules
            case ResumeProcesses():
                self.resumed += step.modules
            case CodeChange():
                self.migrated += [changed.module for changed in step.modules]
            case StopProcesses():
                self.stopped += step.modules
            case StartProcesses():
                self.started += step.modules
            case Apply():
                self.applied.append(step.function)
            case PointOfNoReturn() | Purge() | RestartChild() | SyncNodes() | RestartEmulator() | RestartNewEmulator():
                pass
            case _:
                assert_never(step)

    def _change(self, module: str, change: Literal["load", "remove"]) -> None:
        self.last_changes.pop(module, None)
        self.last_changes[module] = change


def script_modules(script: Iterable[RelupInstruction]) -> ScriptModules:
    """Collect the modules of a whole script."""
    modules = ScriptModules()
    for step in script:
        modules.add(step)
    return modules
