"""Actions that have nothing to do now: the footer dims their keys, and the actions say why."""

from __future__ import annotations

from .actions import key_of
from .model.node_view import NodeView


def nothing_to_do(action_id: str, node: NodeView, keymap: dict[str, str]) -> str:
    """Return a sentence that says why an action has nothing to do now; empty if it has something to do."""
    snapshot, running = node.snapshot, node.running()
    if snapshot is None:
        return f"{node.name} has not answered yet."
    if action_id == "commit" and (running is None or running.status == "permanent"):
        return "There is nothing to commit: the running release is permanent."
    if action_id == "rollback" and snapshot.info.vsn == snapshot.info.permanent:
        downgrade = key_of("downgrade", keymap)
        return (
            f"There is nothing to roll back: the running release is permanent. "
            f"Press {downgrade} to downgrade to an older release."
        )
    if action_id == "abort" and not node.unfinished():
        return "There is nothing to abort: no operation is running."
    return ""
