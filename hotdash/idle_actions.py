"""Actions that have nothing to do, now or with the selected release or module.

The footer dims the keys of these actions.
"""

from __future__ import annotations

from node_runtime.protocol import messages as m

from .actions import key_of
from .model.node_view import NodeView
from .model.view_state import Selection

_DIRECTIONS: dict[str, m.Direction] = {"upgrade": "up", "downgrade": "down"}


def pointless_for(selected: Selection, action_id: str, node: NodeView) -> bool:
    """Return whether an action can do nothing with the selected release or module, as far as the dashboard knows."""
    if node.snapshot is None:
        return False
    if action_id == "purge":
        return any(one.name == selected.module and one.old_vsn is None for one in node.snapshot.modules)
    release = None if selected.vsn is None else node.release(selected.vsn)
    if release is None:
        return False
    if action_id == "remove":
        return bool(not_removable(release, node))
    if action_id in _DIRECTIONS:
        there = (selected.direction,) if selected.direction else _directions(release)
        return bool(already_runs(release.vsn, node)) or _DIRECTIONS[action_id] not in there
    return action_id == "cold" and bool(already_runs(release.vsn, node))


def _directions(release: m.ReleaseInfo) -> tuple[m.Direction, ...]:
    """Return in which directions the running node can go to `release`."""
    return (*(("up",) if release.up else ()), *(("down",) if release.down else ()))


def already_runs(vsn: str, node: NodeView) -> str:
    """Return a sentence that says that release `vsn` runs; empty if another release runs."""
    runs = node.snapshot is not None and node.snapshot.info.vsn == vsn
    return f"{node.name} already runs {vsn}: nothing to do." if runs else ""


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
    if action_id == "approve" and snapshot.info.trust.approvals == 1:
        return f"There is nothing to approve: an install on {node.name} needs no approval."
    return ""


def not_removable(release: m.ReleaseInfo, node: NodeView) -> str:
    """Return a sentence that says why a release can't be removed; empty if the dashboard knows no reason."""
    if release.status == "current" or (node.snapshot is not None and release.vsn == node.snapshot.info.vsn):
        return f"Release {release.vsn} is running; install another release before you remove this one."
    if release.status == "permanent":
        return f"Release {release.vsn} is permanent; commit another release before you remove this one."
    return ""
