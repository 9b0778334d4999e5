"""What was done to the node: one line of JSON for each operation that has ended, and the intent of one that hasn't.

The intent is durable before the first process is held and before the commit record changes. One that is still there
at boot, and whose operation has no line, tells of one that the node did not survive: the permanent release booted. A
commit has been done if its release is the one that boots; everything else is reported as "restarted".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node_runtime.protocol.messages import Operation

from .files.durable import append_whole, write_whole

logger = logging.getLogger("node_runtime")

KEPT = 100
BYTES = 8 << 20
"""How much the kept operations may take; the oldest lose their results first."""
TAKE_OVER = ("installed", "committed", "reverted", "partly reverted")


@dataclass(frozen=True, slots=True)
class LastLife:
    """How the node ended before this boot, as its parent tells it: empty if that was in order, or nobody knows.

    `phase` is that of the operation that was under way. `own_fault`: nobody else has ended it.
    """

    why: str = ""
    phase: str = ""
    own_fault: bool = False


IN_ORDER = LastLife()


class History:
    """The newest `KEPT` operations, oldest first, in `directory` and in memory. Its methods block on the disk.

    It begins with a boot, by default of release `permanent`: that has ended any probation. `last` is how the node ended
    before. A later line of the same operation stands for the earlier one.
    """

    def __init__(self, directory: Path, permanent: str, booted: str = "", last: LastLife = IN_ORDER) -> None:
        self._lines = directory / "operations.jsonl"
        self._intent = directory / "intent.json"
        directory.mkdir(parents=True, exist_ok=True)
        self._written = 0
        """How many lines the file has."""
        self._sizes: dict[str, int] = {}
        """Of each operation's line, by its id, in bytes."""
        self.operations = self._read()
        self.lost: str | None = None
        """The release that was on probation, or was on its way to that, when the node ended."""
        self._booted = f"Its permanent release, {permanent}," if booted in {"", permanent} else booted
        try:
            self._after_boot(permanent, last)
        except OSError:  # a node has to boot on a full disk, too: what it then can't write down it knows
            logger.exception("the history of operations can't be written")

    def _after_boot(self, permanent: str, last: LastLife) -> None:
        if not self._lines.exists() or not self._lines.read_bytes().endswith(b"\n"):
            self._rewrite()  # a crash may have cut its last line off, and the next one would be added to that
        self._restarted(permanent, last)
        if self._intent.exists():
            begun = _decoded(self._intent.read_bytes())
            if begun is None or begun.id not in self._sizes:
                self._keep(self._interrupted(begun, permanent, last))
            self._intent.unlink()

    def begin(self, operation: Operation) -> None:
        """Make it durable that this operation is going to touch the node."""
        write_whole(self._intent, msgspec.json.encode(operation))

    def end(self, operation: Operation) -> None:
        """The operation has ended: keep it, and forget the intent. One that took over ends the probation before it."""
        taken_over = operation.outcome in TAKE_OVER
        over = [_past(one) for one in self.operations if taken_over and one.probation_until is not None]
        self._keep(*over, operation)
        self._intent.unlink(missing_ok=True)  # it may come back after a power cut: the line is there, too

    def _restarted(self, permanent: str, last: LastLife) -> None:
        """What was current when the node ended, and not permanent, doesn't run now, unless its commit came that far."""
        ends = [one for one in self.operations if one.outcome in (*TAKE_OVER, "restarted")]
        for one in [one for one in ends if one.probation_until is not None or one is ends[-1]]:
            if one.kind != "install" or one.outcome != "installed" or one.to_vsn == permanent:
                self._keep(*(() if one.probation_until is None else (_past(one),)))
                continue
            error = f"The node was restarted. {self._booted} booted."
            if last.why:
                error = f"{last.why} before {one.to_vsn} was committed. {self._booted} booted."
            self._keep(msgspec.structs.replace(_past(one), phase="restarted", outcome="restarted", error=error))
            self.lost = one.to_vsn

    def _interrupted(self, begun: Operation | None, permanent: str, last: LastLife) -> Operation:
        """How an operation ended that the node did not survive; `begun` is None if nothing of it can be read."""
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
        """Keep these as they are now; they may be known as they were."""
        if not operations:
            return
        lines = [msgspec.json.encode(one) + b"\n" for one in operations]
        self._sizes.update((one.id, len(line)) for one, line in zip(operations, lines, strict=True))
        self.operations = self._bounded([*self.operations, *operations])
        size = append_whole(self._lines, b"".join(lines))
        self._written += len(lines)
        if self._written > 2 * KEPT or size > 2 * BYTES:
            self._rewrite()

    def _rewrite(self) -> None:
        write_whole(self._lines, b"".join(msgspec.json.encode(one) + b"\n" for one in self.operations))
        self._written = len(self.operations)

    def _read(self) -> list[Operation]:
        if not self._lines.exists():
            return []
        lines = self._lines.read_bytes().splitlines()
        known = [(one, len(line)) for line in lines if (one := _decoded(line))]
        self._written = len(lines)
        self._sizes = {one.id: size for one, size in known}
        return self._bounded([one for one, _ in known])

    def _bounded(self, operations: Sequence[Operation]) -> list[Operation]:
        """The newest of these, each once, and without the results of those that are too much."""
        newest = list({one.id: one for one in operations}.values())[-KEPT:]
        kept, sizes, size = [], {}, 0
        for operation in reversed(newest):
            one, own = operation, self._sizes[operation.id]
            size += own
            if size > BYTES and one.results:
                one = msgspec.structs.replace(one, results=())
                own = len(msgspec.json.encode(one))
            kept.append(one)
            sizes[one.id] = own
        self._sizes = sizes
        return kept[::-1]


def _past(operation: Operation) -> Operation:
    """An install whose probation has ended."""
    phase = operation.outcome or operation.phase
    return msgspec.structs.replace(operation, phase=phase, probation_until=None)


def _decoded(line: bytes) -> Operation | None:
    """None for a line that was cut off by a crash."""
    try:
        return msgspec.json.decode(line, type=Operation)
    except msgspec.DecodeError:
        return None
