"""Derives the outcome of an operation from the error that ended it, and finds the release that failed."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Operation

from .install.endings import Aborted, PutBack
from .operation_progress import OperationProgress

logger = logging.getLogger("node_runtime")

PROBATION_REQUESTER = "probation"
"""The requester (`who`) of the revert that the node begins by itself when a probation fails."""


LEADER = "leader"
"""The requester (`who`) of orders that worker 1 gives by itself, so that all workers have the same release."""


def end_with_error(error: BaseException, progress: OperationProgress) -> Operation:
    """Return the ended operation, with the outcome that corresponds to `error`."""
    if isinstance(error, PutBack):
        return progress.finish(
            "put back" if error.incomplete is None else "partly put back",
            error=str(error) if error.incomplete is None else f"{error}; not put back: {error.incomplete}",
            pause=error.pause,
            results=error.results,
            touched=error.touched,
        )
    if isinstance(error, asyncio.CancelledError) and progress.aborted is not None:
        return progress.finish("aborted", error=f"{progress.aborted}.")
    if isinstance(error, Aborted):
        return progress.finish("aborted", error=str(error))
    if isinstance(error, Refused):
        return progress.finish("aborted", error=error.sentence)
    logger.error("operation %s failed before anything was changed", progress.id, exc_info=error)
    return progress.finish("aborted", error=describe_reason(error))


def partly_reverted(operation: Operation, vsn: str, probation_until: float | None) -> Operation:
    """Return the operation; if only some of its releases have been installed, the outcome is "partly reverted".

    `vsn` is the running release: if it is the first or the last of the operation's releases, the operation is returned
    unchanged. An operation that was "partly put back" keeps this outcome, and the node restarts.
    """
    if operation.outcome == "partly put back" or vsn in {operation.from_vsn, operation.to_vsn}:
        return operation
    return msgspec.structs.replace(
        operation,
        outcome="partly reverted",
        error=f"Reverted only as far as release {vsn}: {operation.error}",
        probation_until=probation_until,
    )


def failed_release(operation: Operation, vsn: str, permanent: str) -> str | None:
    """Return the release whose install was undone, or whose probation ended in a revert; None if there is none.

    `vsn` is the running release.
    """
    if operation.kind == "revert" and operation.who == PROBATION_REQUESTER and vsn != operation.from_vsn:
        return operation.from_vsn
    if operation.kind == "install" and operation.outcome in {"put back", "partly put back", "reverted"}:
        return operation.to_vsn if operation.to_vsn != permanent else None
    return None
