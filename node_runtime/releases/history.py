"""What was done to the node: one line of JSON for each operation that has ended, and the intent of one that hasn't.

The intent is durable before the first process is held and before the commit record changes. One that is still there
at boot tells of an operation that the node did not survive: the permanent release booted. A commit has been done if
its release is the one that boots; everything else is reported as "restarted".
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from node_runtime.protocol.messages import Operation

from .durable import sync_directory, write_whole

KEPT = 100
BYTES = 8 << 20
"""How much the kept operations may take; the oldest lose their results first."""
TAKE_OVER = ("installed", "committed", "reverted", "partly reverted")


class History:
    """The newest `KEPT` operations, oldest first, in `directory` and in memory. Its methods block on the disk.

    It begins with the boot of release `permanent`: that has ended any probation. A later line of the same operation
    stands for the earlier one.
    """

    def __init__(self, directory: Path, permanent: str) -> None:
        self._lines = directory / "operations.jsonl"
        self._intent = directory / "intent.json"
        directory.mkdir(parents=True, exist_ok=True)
        self.operations = self._read()
        if self._lines.exists() and not self._lines.read_bytes().endswith(b"\n"):
            self._rewrite()  # a crash has cut its last line off, and the next one would be added to that
        self._restarted(permanent)
        if self._intent.exists():
            self.end(self._interrupted(permanent))

    def begin(self, operation: Operation) -> None:
        """Make it durable that this operation is going to touch the node."""
        write_whole(self._intent, msgspec.json.encode(operation))

    def end(self, operation: Operation) -> None:
        """The operation has ended: keep it, and forget the intent. One that took over ends the probation before it."""
        if operation.outcome in TAKE_OVER:
            self._keep(*(_past(one) for one in self.operations if one.probation_until is not None))
        self._keep(operation)
        self._intent.unlink(missing_ok=True)
        sync_directory(self._intent.parent)

    def _restarted(self, permanent: str) -> None:
        """Whatever was on probation when the node ended doesn't run now, unless its commit came that far."""
        for one in [one for one in self.operations if one.probation_until is not None]:
            error = f"The node was restarted into its permanent release, {permanent}."
            over = msgspec.structs.replace(_past(one), phase="restarted", outcome="restarted", error=error)
            self._keep(_past(one) if one.to_vsn == permanent else over)

    def _keep(self, *operations: Operation) -> None:
        """Keep these as they are now; they may be known as they were."""
        known = {one.id: one for one in self.operations} | {one.id: one for one in operations}
        self.operations = _bounded(list(known.values())[-KEPT:])
        with self._lines.open("ab") as file:
            file.writelines(msgspec.json.encode(one) + b"\n" for one in operations)
            file.flush()
            os.fsync(file.fileno())
        if self._count() > 2 * KEPT or self._lines.stat().st_size > 2 * BYTES:
            self._rewrite()

    def _rewrite(self) -> None:
        write_whole(self._lines, b"".join(msgspec.json.encode(one) + b"\n" for one in self.operations))

    def _read(self) -> list[Operation]:
        if not self._lines.exists():
            return []
        lines = [known for line in self._lines.read_bytes().splitlines() if (known := _decoded(line))]
        return _bounded(list({one.id: one for one in lines}.values())[-KEPT:])

    def _count(self) -> int:
        return self._lines.read_bytes().count(b"\n")

    def _interrupted(self, permanent: str) -> Operation:
        begun = _decoded(self._intent.read_bytes())
        now = time.time()
        if begun is None:
            begun = Operation(
                id=f"unknown-{int(now)}", kind="install", from_vsn="?", to_vsn="?", who="?", started=now, phase="begun"
            )
        if begun.kind == "commit" and begun.to_vsn == permanent:
            return msgspec.structs.replace(begun, phase="committed", outcome="committed", ended=now)
        return msgspec.structs.replace(
            begun,
            phase="restarted",
            outcome="restarted",
            ended=now,
            error=f"The node ended during this operation, and booted its permanent release, {permanent}.",
        )


def _past(operation: Operation) -> Operation:
    """An install whose probation has ended."""
    phase = operation.outcome or operation.phase
    return msgspec.structs.replace(operation, phase=phase, probation_until=None)


def _bounded(operations: Sequence[Operation]) -> list[Operation]:
    """Without the results of those that are too much."""
    kept, size = [], 0
    for operation in reversed(operations):
        size += len(msgspec.json.encode(operation))
        kept.append(operation if size <= BYTES else msgspec.structs.replace(operation, results=()))
    return kept[::-1]


def _decoded(line: bytes) -> Operation | None:
    """None for a line that was cut off by a crash."""
    try:
        return msgspec.json.decode(line, type=Operation)
    except msgspec.DecodeError:
        return None
