"""Texts that describe low-level instructions in a plan."""

from __future__ import annotations

import json
from typing import assert_never

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


def sentence(step: RelupInstruction) -> str:
    """Return the text that describes an instruction in a plan."""
    match step:
        case LoadObjectCode():
            text = f"read the code of {step.application} {step.vsn}: {', '.join(step.modules)}"
        case PointOfNoReturn() | RestartEmulator() | RestartNewEmulator():
            text = step.name.replace("_", " ")
        case Load() | Remove():
            text = f"{step.name} {step.module}"
        case Purge():
            text = f"purge the old code of {', '.join(step.modules)}"
        case ResumeProcesses() | StopProcesses() | StartProcesses():
            text = f"{step.name} the processes of {', '.join(step.modules)}"
        case SuspendProcesses():
            text = f"suspend the processes of {', '.join(entry.module for entry in step.modules)}"
        case CodeChange():
            modules = ", ".join(entry.module for entry in step.modules)
            text = f"code_change {step.direction} for the processes of {modules}"
        case RestartChild():
            text = f"restart the child {step.child} of {step.supervisor} in the new code"
        case Apply():
            text = _apply(step)
        case SyncNodes():
            text = f"wait at {step.id} for {', '.join(step.nodes)}"
        case _:
            assert_never(step)
    return text


def _apply(step: Apply) -> str:
    args = ", ".join(json.dumps(arg, ensure_ascii=False, default=str) for arg in step.args)
    return f"apply {step.function}({args})" + (f", undone by {step.undo}" if step.undo else "")
