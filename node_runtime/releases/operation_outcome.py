"""What an operation came to: an outcome and a sentence for whatever ended it, and whom that speaks against."""

from __future__ import annotations

import logging

import msgspec

from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Operation

from .install.installation import Aborted, PutBack
from .operation_progress import Progress

logger = logging.getLogger("node_runtime")

PROBATION = "probation"
"""Who asks when the node goes back by itself."""


def ended_by(error: BaseException, progress: Progress) -> Operation:
    """The end of an operation that did not come where it should."""
    if isinstance(error, PutBack):
        return progress.finish(
            "put back" if error.incomplete is None else "partly put back",
            error=str(error) if error.incomplete is None else f"{error}; not put back: {error.incomplete}",
            pause=error.pause,
            results=error.results,
            touched=error.touched,
        )
    if isinstance(error, Aborted):
        return progress.finish("aborted", error=str(error))
    if isinstance(error, Refused):
        return progress.finish("aborted", error=error.sentence)
    logger.error("operation %s failed before anything was touched", progress.id, exc_info=error)
    return progress.finish("aborted", error=describe_reason(error))


def as_far_as(operation: Operation, vsn: str, probation_until: float | None) -> Operation:
    """The same operation, if what runs is a release on its way and neither end."""
    if vsn in {operation.from_vsn, operation.to_vsn}:
        return operation
    return msgspec.structs.replace(
        operation,
        outcome="partly reverted",
        error=f"It came as far as {vsn}: {operation.error}",
        probation_until=probation_until,
    )


def failed(operation: Operation, vsn: str, permanent: str) -> str | None:
    """The release that has failed, now that `vsn` runs: one that had to be put back, or was sent back by probation."""
    if operation.kind == "revert" and operation.who == PROBATION and vsn != operation.from_vsn:
        return operation.from_vsn
    if operation.kind == "install" and operation.outcome in {"put back", "partly put back"}:
        return operation.to_vsn if operation.to_vsn != permanent else None
    return None
