"""The plan of an install that can't be planned, because files are damaged or no appup leads to the target."""

from __future__ import annotations

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, Plan

from .plan import no_plan
from .planning.transition import cold_remedy
from .relup.translation import NoPath
from .store.release_store import ReleaseStore
from .store.verify import RESTAGE_REMEDY


def refused_plan(refused: Refused, store: ReleaseStore, current: str, target: str, generation: int) -> Plan:
    """Return a plan with one blocker: the refusal, with a remedy."""
    reason, remedy = refused.sentence.rstrip("."), "correct the error and plan again"
    if isinstance(refused, NoPath):
        remedy = (
            f"add the missing entry to the appup and build the release under a new vsn; "
            f"{store.describe_reachable(current, target)}; or "
            f"{cold_remedy(store.catalog.configuration(current).node.name, target)}"
        )
        blocker = Blocker(reason=reason, remedy=remedy)
        return no_plan(current, target, generation, blocker, store.hops(current, target))
    if reason.endswith(RESTAGE_REMEDY):
        reason, remedy = reason.removesuffix(f"; {RESTAGE_REMEDY}"), RESTAGE_REMEDY
    return no_plan(current, target, generation, Blocker(reason=reason, remedy=remedy))
