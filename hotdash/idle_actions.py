"""Actions that have nothing to do now, and releases that can't be removed, each with the sentence that says why.

The footer dims the keys of these actions.
"""

from __future__ import annotations

from node_runtime.protocol import messages as m

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


def not_removable(release: m.ReleaseInfo, node: NodeView) -> str:
    """Return a sentence that says why a release can't be removed; empty if the dashboard knows no reason."""
    if release.status == "current" or (node.snapshot is not None and release.vsn == node.snapshot.info.vsn):
        return f"Release {release.vsn} is running; install another release before you remove this one."
    if release.status == "permanent":
        return f"Release {release.vsn} is permanent; commit another release before you remove this one."
    return ""
