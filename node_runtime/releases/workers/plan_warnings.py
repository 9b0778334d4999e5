"""The warnings of a plan that concern the other workers of the node."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import Plan

from .led_workers import LedWorkers


def with_worker_warnings(plan: Plan, workers: LedWorkers, wanted: int) -> Plan:
    """Return the plan with warnings about the other workers. `wanted` is the number of workers in the new release."""
    warnings = []
    if workers.count > 1:
        others = "Worker 2 follows, and" if workers.count == 2 else f"Workers 2 to {workers.count} follow: each"
        warnings.append(
            f"This plan is only for worker 1. {others} rehearses the upgrade on its own states; if one worker "
            f"fails, all workers return to the previous release."
        )
    if wanted != workers.count:
        warnings.append(
            f"node.toml sets {wanted} workers, but the node has {workers.count}; restart the node after the commit."
        )
    return msgspec.structs.replace(plan, warnings=(*plan.warnings, *warnings))
