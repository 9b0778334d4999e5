"""Moves each `restart_child` of a script behind the instructions that change code."""

from __future__ import annotations

from node_runtime.releases.files.relup_instructions import CodeChange, Load, RelupInstruction, Remove, RestartChild


def with_children_restarted_last(script: list[RelupInstruction]) -> list[RelupInstruction]:
    """Move each restart_child behind the last instruction that changes code, so that the child starts in the new code.

    A restart_child that already comes after that instruction keeps its place.
    """
    changes = [at for at, step in enumerate(script) if isinstance(step, (Load, Remove, CodeChange))]
    last = changes[-1] + 1 if changes else 0
    early = [step for step in script[:last] if isinstance(step, RestartChild)]
    return [*(step for step in script[:last] if not isinstance(step, RestartChild)), *early, *script[last:]]
