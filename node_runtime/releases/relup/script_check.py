"""Checks of a translated script: those of OTP's systools, and that only suspended processes are migrated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from node_runtime.protocol.exit_codes import Refused
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
    SuspendProcesses,
    SyncNodes,
)


@dataclass(slots=True)
class _ScriptModules:
    """The modules that the instructions of a script name, by what is done to them."""

    prepared: set[str] = field(default_factory=set)
    loaded: list[str] = field(default_factory=list)
    suspended: set[str] = field(default_factory=set)
    resumed: set[str] = field(default_factory=set)
    migrated: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)

    def add(self, step: RelupInstruction) -> None:
        match step:
            case LoadObjectCode():
                self.prepared.update(step.modules)
            case Load():
                self.loaded.append(step.module)
            case SuspendProcesses():
                self.suspended.update(entry.module for entry in step.modules)
            case ResumeProcesses():
                self.resumed.update(step.modules)
            case CodeChange():
                self.migrated.update(entry.module for entry in step.modules)
            case StopProcesses():
                self.stopped.update(step.modules)
            case StartProcesses():
                self.started.update(step.modules)
            case (
                PointOfNoReturn()
                | Remove()
                | Purge()
                | Apply()
                | SyncNodes()
                | RestartEmulator()
                | RestartNewEmulator()
            ):
                pass
            case _:
                assert_never(step)


def check_script(script: Iterable[RelupInstruction]) -> None:
    """Raise `Refused` for the first mistake in a script."""
    modules = _ScriptModules()
    for step in script:
        modules.add(step)
    for module in modules.loaded:
        if module not in modules.prepared:
            raise Refused(f"{module} is loaded, but no load_object_code reads it.")
    for begin, end, begun, ended in (
        ("suspend", "resume", modules.suspended, modules.resumed),
        ("stop", "start", modules.stopped, modules.started),
    ):
        if odd := sorted(begun ^ ended):
            raise Refused(f"the script must {begin} and {end} the same modules, but {odd[0]} has only one of the two.")
    if unheld := sorted(modules.migrated - modules.suspended):
        raise Refused(f"code_change of {unheld[0]}: nothing suspends its processes.")
