"""The JSON form of a relup. As in OTP, an instruction is an array that begins with the instruction's name."""

from __future__ import annotations

from typing import Any, assert_never

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

from .translation import Relup


def relup_json(relup: Relup) -> dict[str, Any]:
    """Return the object that `node-runtime relup --json` prints."""
    return {
        "from": relup.older,
        "to": relup.newer,
        "up": [instruction_json(step) for step in relup.up],
        "down": [instruction_json(step) for step in relup.down],
    }


def instruction_json(step: RelupInstruction) -> list[Any]:
    """Return the array that represents one instruction in JSON."""
    fields: list[Any]
    match step:
        case LoadObjectCode():
            fields = [step.application, step.vsn, list(step.modules)]
        case Load() | Remove():
            fields = [step.module, step.pre_purge, step.post_purge]
        case Purge() | ResumeProcesses() | StopProcesses() | StartProcesses():
            fields = [list(step.modules)]
        case SuspendProcesses():
            fields = [[_suspended(entry) for entry in step.modules]]
        case CodeChange():
            fields = [step.direction, [[entry.module, entry.extra] for entry in step.modules]]
        case RestartChild():
            fields = [step.supervisor, step.child]
        case Apply():
            fields = [step.function, list(step.args), {"undo": step.undo}]
        case SyncNodes():
            fields = [step.id, list(step.nodes)]
        case PointOfNoReturn() | RestartEmulator() | RestartNewEmulator():
            fields = []
        case _:
            assert_never(step)
    return [step.name, *fields]


def _suspended(entry: SuspendedModule) -> str | list[Any]:
    return entry.module if entry.timeout is None else [entry.module, entry.timeout]
