"""The order of the instructions that restart the node. Follows OTP's systools."""

from __future__ import annotations

from typing import assert_never

from node_runtime.protocol.messages import Direction
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


def with_sorted_restarts(script: list[RelupInstruction], direction: Direction) -> list[RelupInstruction]:
    """Move the restarts: in an upgrade, restart_new_emulator comes first.

    All other restarts become one restart_emulator at the end.
    """
    new = same = False
    rest: list[RelupInstruction] = []
    for step in script:
        match step:
            case RestartNewEmulator():
                new = True
            case RestartEmulator():
                same = True
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
                | SyncNodes()
            ):
                rest.append(step)
            case _:
                assert_never(step)
    first = [RestartNewEmulator()] if new and direction == "up" else []
    last = [RestartEmulator()] if same or (new and direction == "down") else []
    return [*first, *rest, *last]
