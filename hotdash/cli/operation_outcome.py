"""Follows an operation to its end, and chooses the exit code for its outcome."""

from __future__ import annotations

import asyncio

from node_runtime.protocol import messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import tables
from .output import print_table, show
from .rehearsal_progress import reporting_rehearsals

OUTCOME_CODES = {
    "installed": ExitCode.OK,
    "committed": ExitCode.OK,
    "reverted": ExitCode.CHANGED_OTHERWISE,
    "aborted": ExitCode.REFUSED,
    "put back": ExitCode.REFUSED,
    "restarted": ExitCode.CHANGED_OTHERWISE,
    "partly put back": ExitCode.CHANGED_OTHERWISE,
    "partly reverted": ExitCode.CHANGED_OTHERWISE,
}

OUTCOME_SENTENCES = {
    "aborted": "Nothing was changed.",
    "put back": "The install failed and was undone: the node runs the same code as before.",
    "partly put back": "The install failed and was undone only in part: check the result of each process.",
    "partly reverted": (
        "The rollback ended before it reached the permanent release: roll back again, or upgrade from the current one."
    ),
    "reverted": "The node reverted to the code that it ran before.",
    "restarted": "The node was restarted into its permanent release.",
}
"""The line on stderr after an unwanted outcome. The reason is on stdout, with the operation."""


async def follow_operation(client: Client, operation: str, output: str) -> m.Operation:
    """Print the phases as the node reports them; return the operation when it has ended."""
    printed = 0
    last: m.Operation | None = None
    results_command = f"'hotdash results {client.address.name} {operation}'"
    try:
        async with reporting_rehearsals(client):
            async for last in client.follow(operation):
                for step in last.steps[printed:] if output == "table" else ():
                    print_table(tables.step(step))
                printed = len(last.steps)
    except asyncio.CancelledError:  # asyncio.run turns Ctrl-C into a cancellation
        raise Refused(
            f"Operation {operation} continues on the node; {results_command} shows its outcome.",
            ExitCode.UNKNOWN_OUTCOME,
            operation,
        ) from None
    if last is None or last.outcome is None:
        raise Refused(
            f"The outcome of operation {operation} is unknown; {results_command} reads it again.",
            ExitCode.UNKNOWN_OUTCOME,
            operation,
        )
    return last


def show_outcome(operation: m.Operation, output: str, *, wanted: tuple[str, ...]) -> None:
    """Print the operation. Raises Refused with the outcome's exit code unless the outcome is one of `wanted`."""
    show(operation, output, lambda: tables.results(operation))
    check_outcome(operation, wanted)


def check_outcome(operation: m.Operation, wanted: tuple[str, ...]) -> None:
    """Raise Refused with the outcome's sentence and exit code unless the outcome is one of `wanted`."""
    if operation.outcome in wanted:
        return
    code = OUTCOME_CODES.get(operation.outcome or "", ExitCode.UNKNOWN_OUTCOME)
    sentence = OUTCOME_SENTENCES.get(str(operation.outcome), f"The operation ended as {operation.outcome}.")
    if operation.outcome == "aborted" and operation.warnings:
        sentence = " ".join((*operation.warnings, "The node runs the same code as before."))
    raise Refused(sentence, code, operation.id)
