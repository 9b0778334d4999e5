"""The warnings of a plan that concern the other workers of the node."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import Plan

from .led_workers import LedWorkers


def with_worker_warnings(plan: Plan, workers: LedWorkers, wanted: int) -> Plan:
    """Return the plan with what it doesn't say of the other workers. `wanted` is their number in the new release."""
    warnings = []
    if workers.count > 1:
        warnings.append(
            f"This plan is that of worker 1: each of the other {workers.count - 1} rehearses the upgrade on its own "
            f"states when its turn comes, and if one fails, all go back."
        )
    if wanted != workers.count:
        warnings.append(
            f"node.toml sets {wanted} workers, but the node has {workers.count}; restart the node after the commit."
        )
    return msgspec.structs.replace(plan, warnings=(*plan.warnings, *warnings))
