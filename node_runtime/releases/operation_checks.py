"""Checks of operators' requests: each raises `Refused` for an operation that can't begin.

`current` is the running release. A request is not refused for a blocker that may pass by itself:
the operation begins, and is aborted if the blocker does not pass in time.
"""

from __future__ import annotations

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.messages import Abort, Direction, Install, Operation

from .operation_progress import OperationProgress
from .planning.app_env import live_environment
from .planning.transition import Transition, make_transition
from .relup.translation import NoPath
from .store.release_store import ReleaseStore


def transition_to(vsn: str, store: ReleaseStore, current: str) -> Transition:
    """Return the transition from the running release to `vsn`. Raises `Refused`."""
    return make_transition(store.catalog, current, vsn, live_environment(store.catalog.release(current)))


def check_free(running: Operation | None, removed: str | None) -> None:
    """Raise Refused while an operation runs, or while the release `removed` is being removed."""
    if removed is not None:
        raise Refused(f"Release {removed} is being removed; wait until the removal has ended.")
    if running is not None:
        verb = {"install": "is installing", "revert": "is reverting to", "commit": "is committing"}
        action = f"{running.by} {verb.get(running.kind, 'is booting')} release {running.to_vsn}"
        raise Refused(
            f"{action} (operation {running.id}, {running.phase}); wait until the operation has ended, or abort it.",
            ExitCode.REFUSED,
            running.id,
        )


def find_operation(operations: tuple[Operation, ...], id: str | None) -> Operation:
    """Return the operation with this id or, without an id, the newest. Raises `Refused`."""
    for operation in reversed(operations):
        if id is None or operation.id == id:
            return operation
    raise Refused(f"There is no operation {id}." if id else "There has been no operation on this node yet.")


def check_abort(request: Abort, running: OperationProgress | None) -> OperationProgress:
    """Return the running operation, which is to be aborted.

    Raises Refused if it has ended or has begun to change the node.
    """
    if running is None:
        raise Refused("No operation is running, so there is nothing to abort.")
    if request.operation not in (None, running.id):
        raise Refused(f"The operation {clip(request.operation or '', MAX_SHOWN_NAME)} is not running.")
    if not running.abortable:
        raise Refused(
            f"The operation {running.id} is changing the node and can't be aborted; wait until it has ended, then roll "
            f"back.",
            operation=running.id,
        )
    return running


def check_install(request: Install, store: ReleaseStore, current: str, generation: int) -> Direction:
    """Return the direction of the install.

    Raises Refused if the release is current, untrusted or failed, if the direction is wrong, or if the plan is stale.
    """
    if request.vsn == current:
        raise Refused(f"Release {current} is already current.")
    store.check_trusted(request.vsn)
    if (failed := store.entry(request.vsn).failed) is not None and not request.again:
        raise Refused(
            f"Release {request.vsn} failed on this node before: {failed.rstrip('.')}. Pass --again to install it "
            f"again, or build a corrected release under a new vsn."
        )
    try:
        transition = transition_to(request.vsn, store, current)
    except NoPath as no_path:
        reachable = store.describe_reachable(current, request.vsn)
        raise Refused(f"{no_path.sentence} {reachable[:1].upper()}{reachable[1:]}.") from None
    if request.direction not in (None, transition.direction):
        verb = "upgrade" if transition.direction == "up" else "downgrade"
        raise Refused(
            f"Going from {current} to {request.vsn} is {'an' if verb == 'upgrade' else 'a'} {verb}: use {verb}."
        )
    if request.plan_id is not None and request.plan_id != transition.plan_id(generation):
        raise Refused("The plan is stale: the node has changed since the plan was made. Request a new plan.")
    return transition.direction


def check_remove(vsn: str, store: ReleaseStore, current: str) -> None:
    """Raise Refused for the current release, and for a release that a rollback would have to install on its way."""
    if vsn == current:
        raise Refused(f"Release {vsn} is current: install another release first.")
    if current != store.permanent and vsn in (store.path(current, store.permanent) or ())[:-1]:
        raise Refused(
            f"Release {vsn} can't be removed now: a rollback from {current} to {store.permanent} has to install it in "
            f"between. Commit or roll back, then remove it."
        )


def rollback_path(store: ReleaseStore, current: str) -> list[str]:
    """Return the releases to install, one after the other, to go back to the permanent one. Raises `Refused`."""
    permanent = store.permanent
    if current == permanent:
        raise Refused(f"There is nothing to roll back: the current release, {current}, is permanent.")
    store.check_trusted(permanent)  # warns only
    path = store.path(current, permanent)
    if path is None:
        damage = store.catalog.damage(permanent)
        for vsn in store.damaged():
            store.catalog.verify_again(vsn)  # the files may be readable again; then the next attempt succeeds
        if damage is not None:
            raise Refused(damage)
        transition_to(permanent, store, current)  # raises a refusal that names the missing appup entry
        raise Refused(f"There is no path from {current} to {permanent}.")
    return path
