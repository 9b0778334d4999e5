"""The history of the node's operations: one line of JSON for each ended operation, and a file for the running one.

The file is called the intent of the operation. The node writes it before the operation suspends a process or changes
the commit record, and deletes it when the operation has ended. If there is an intent at boot, but no line for its
operation, the node ended during that operation. An interrupted commit counts as done if its release is permanent. Any
other interrupted operation gets the outcome "restarted".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Operation

from .files.durable import append_atomically, clear_interrupted_writes, write_atomically

logger = logging.getLogger("node_runtime")

MAX_OPERATIONS = 100
MAX_HISTORY_BYTES = 8 << 20
"""Size limit of the stored operations; above it, the oldest operations lose their results."""
_NEW_RELEASE_OUTCOMES = ("installed", "committed", "reverted", "partly reverted")


class PreviousExit(msgspec.Struct, frozen=True):
    """How the node exited before this boot, as reported by its parent process.

    `why` is a sentence with the cause, or "" if the exit was clean or is unknown. `phase` is the phase of the operation
    that was running. `own_fault` is whether the node itself caused the exit.
    """

    why: str = ""
    phase: str = ""
    own_fault: bool = False


CLEAN_EXIT = PreviousExit()


class OperationHistory:
    """The newest `MAX_OPERATIONS` operations, oldest first, on disk and in memory.

    The methods block while they access the disk. The constructor is called at boot; it ends every probation. `booted`
    is the release that booted, by default `permanent`. `last` describes the exit before the boot. If the file has
    several lines for an operation, the last line counts.
    """

    def __init__(self, directory: Path, permanent: str, booted: str = "", last: PreviousExit = CLEAN_EXIT) -> None:
        self._lines = directory / "operations.jsonl"
        self._intent = directory / "intent.json"
        directory.mkdir(parents=True, exist_ok=True)
        self._line_count = 0
        """The number of lines in the file."""
        self._sizes: dict[str, int] = {}
        """The size of each operation's line in bytes, by operation id."""
        self.operations = self._read()
        self.lost: str | None = None
        """The release that was on probation, or being installed, when the node ended."""
        self.continued: Operation | None = None
        """The cold upgrade that this boot continues. Its intent is deleted when the operation ends."""
        self._booted = f"Its permanent release, {permanent}," if booted in {"", permanent} else booted
        try:
            self._after_boot(permanent, booted or permanent, last)
        except OSError:  # the node must boot on a full disk, too; the history in memory is correct
            logger.exception("the history of operations can't be written")

    def _after_boot(self, permanent: str, booted: str, last: PreviousExit) -> None:
        clear_interrupted_writes(self._lines.parent)
        if not self._lines.exists() or not self._lines.read_bytes().endswith(b"\n"):
            self._rewrite()  # a crash may have truncated the last line; appending would corrupt the next one
        begun = _decoded(self._intent.read_bytes()) if self._intent.exists() else None
        if begun is not None and begun.direction == "cold" and begun.to_vsn == booted and begun.kind == "revert":
            self.end(msgspec.structs.replace(begun, phase="reverted", outcome="reverted", ended=time.time()))
        self._end_probations(permanent, last)
        if begun is not None and begun.direction == "cold" and begun.to_vsn == booted and begun.kind == "install":
            self.continued = begun
        elif self._intent.exists():
            if begun is None or begun.id not in self._sizes:
                self._keep(self._interrupted(begun, permanent, last))
            self._intent.unlink()

    def begin(self, operation: Operation) -> None:
        """Write the intent of an operation durably. Called before the operation changes the node."""
        write_atomically(self._intent, msgspec.json.encode(operation))

    def end(self, operation: Operation) -> None:
        """Store an ended operation and delete its intent.

        If the operation has changed the running release, the probations of earlier operations are stored as ended, too.
        """
        has_new_release = operation.outcome in _NEW_RELEASE_OUTCOMES
        past = [_past(one) for one in self.operations if has_new_release and one.probation_until is not None]
        self._keep(*past, operation)
        self._intent.unlink(missing_ok=True)  # a power cut may bring the file back, but then the line exists, too

    def _end_probations(self, permanent: str, last: PreviousExit) -> None:
        """End all probations: an install that was on probation gets the outcome "restarted"."""
        ends = [one for one in self.operations if one.outcome in (*_NEW_RELEASE_OUTCOMES, "restarted")]
        for one in [one for one in ends if one.probation_until is not None or one is ends[-1]]:
            if one.kind != "install" or one.outcome != "installed" or one.to_vsn == permanent:
                self._keep(*(() if one.probation_until is None else (_past(one),)))
                continue
            error = f"The node was restarted. {self._booted} booted."
            if last.why:
                error = f"{last.why} before {one.to_vsn} was committed. {self._booted} booted."
            self._keep(msgspec.structs.replace(_past(one), phase="restarted", outcome="restarted", error=error))
            self.lost = one.to_vsn

    def _interrupted(self, begun: Operation | None, permanent: str, last: PreviousExit) -> Operation:
        """Return the interrupted operation with its outcome.

        `begun` is its intent; None if the intent is unreadable.
        """
        now = time.time()
        if begun is None:
            begun = Operation(
                id=f"unknown-{int(now)}", kind="install", from_vsn="?", to_vsn="?", who="?", started=now, phase="begun"
            )
        if begun.kind == "commit" and begun.to_vsn == permanent:
            return msgspec.structs.replace(begun, phase="committed", outcome="committed", ended=now)
        if begun.kind == "install":
            self.lost = begun.to_vsn
        during = f"while {last.phase}" if last.phase else "during this operation"
        error = f"{last.why or 'The node ended'} {during}. {self._booted} booted."
        return msgspec.structs.replace(begun, phase="restarted", outcome="restarted", ended=now, error=error)

    def _keep(self, *operations: Operation) -> None:
        """Append operations to the file; each replaces the earlier line of the same operation."""
        if not operations:
            return
        lines = [msgspec.json.encode(one) + b"\n" for one in operations]
        self._sizes.update((one.id, len(line)) for one, line in zip(operations, lines, strict=True))
        self.operations = self._bounded([*self.operations, *operations])
        size = append_atomically(self._lines, b"".join(lines))
        self._line_count += len(lines)
        if self._line_count > 2 * MAX_OPERATIONS or size > 2 * MAX_HISTORY_BYTES:
            self._rewrite()

    def _rewrite(self) -> None:
        write_atomically(self._lines, b"".join(msgspec.json.encode(one) + b"\n" for one in self.operations))
        self._line_count = len(self.operations)

    def _read(self) -> list[Operation]:
        if not self._lines.exists():
            return []
        lines = self._lines.read_bytes().splitlines()
        known = [(one, len(line)) for line in lines if (one := _decoded(line))]
        self._line_count = len(lines)
        self._sizes = {one.id: size for one, size in known}
        return self._bounded([one for one, _ in known])

    def _bounded(self, operations: Sequence[Operation]) -> list[Operation]:
        """Return the newest operations, each once. Above the size limit, the oldest of them lose their results."""
        newest = list({one.id: one for one in operations}.values())[-MAX_OPERATIONS:]
        kept, sizes, size = [], {}, 0
        for operation in reversed(newest):
            one, own = operation, self._sizes[operation.id]
            size += own
            if size > MAX_HISTORY_BYTES and one.results:
                one = msgspec.structs.replace(one, results=())
                own = len(msgspec.json.encode(one))
            kept.append(one)
            sizes[one.id] = own
        self._sizes = sizes
        return kept[::-1]


def _past(operation: Operation) -> Operation:
    """Return the operation as one whose probation has ended."""
    phase = operation.outcome or operation.phase
    return msgspec.structs.replace(operation, phase=phase, probation_until=None)


def _decoded(line: bytes) -> Operation | None:
    """Decode a line; return None if a crash truncated it."""
    try:
        return msgspec.json.decode(line, type=Operation)
    except msgspec.DecodeError:
        return None


async def write_intent(history: OperationHistory, operation: Operation) -> None:
    """Write an operation's intent to disk. If that fails, a revert logs the error and continues.

    Any other operation raises `Refused`.
    """
    try:
        await asyncio.to_thread(history.begin, operation)
    except OSError as error:
        if operation.kind != "revert":
            raise Refused(
                f"The operation could not be recorded and was not begun: {error}; free disk space and try again."
            ) from None
        logger.exception(
            "operation %s could not be recorded on the disk; it continues, because a revert needs no record",
            operation.id,
        )
