"""Whatever fault meets an instruction, before or after the bar, up or down: one release runs, with exact states.

Or the node has restarted, and says so. In `make test` only the first cells of the table are tried; `make faults` tries
all.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from tests.support.nodes.faulty_node import Facts, FaultyNode, build_row, faulty, faulty_node, vsn_of
from tests.support.projects.faulty_project import ROWS

__all__ = ["faulty", "faulty_node"]

FAULTS: Final = {
    "rehearsal": ("raise", "hang", "block", "exit", "kill", "freeze", "no fork"),
    "before": ("raise", "hang", "block", "exit", "kill", "freeze", "full", "fail"),
    "after": ("raise", "hang", "block", "exit", "kill", "freeze", "full", "fail"),
}
"""The faults at each place: an exception, an await that never ends, a call that never ends, `sys.exit`, SIGKILL,
SIGSTOP, a refused `fork`, a full disk, and an EIO at the next step on the disk."""
TABLE: Final = [
    (row, direction, place, fault)
    for row in ROWS
    for direction in ("up", "down")
    for place, faults in FAULTS.items()
    for fault in faults
]
SAMPLE: Final = [
    ("code_change", "up", "after", "kill"),
    ("code_change", "down", "rehearsal", "no fork"),
    # tests/releases/install/test_faults.py raises at both places, without a real node.
    pytest.param("code_change", "up", "before", "raise", marks=pytest.mark.slow),
    pytest.param("code_change", "down", "after", "raise", marks=pytest.mark.slow),
]
CELLS: Final = TABLE if os.environ.get("FAULTS") == "all" else SAMPLE
ENDS_THE_NODE: Final = {"block", "kill"}
"""The faults after which a node in which they strike has to restart."""


@pytest.mark.parametrize(("row", "direction", "place", "fault"), CELLS)
def test_after_a_fault_one_release_runs_with_exact_states_or_the_node_restarted_and_says_so(
    faulty: FaultyNode, row: str, direction: str, place: str, fault: str
) -> None:
    vsn = vsn_of(row)
    if vsn not in faulty.statuses():
        faulty.operate("stage", build_row(row, faulty.folder))
    source, target = ("1.0", vsn) if direction == "up" else (vsn, "1.0")
    faulty.reset(source)
    try:
        with faulty.striking(place, fault):
            faulty.count()
            before = faulty.facts()
            assert before.vsn == source
            outcome = carry_out(faulty, target, place, fault)
        check(faulty, before, outcome, target, loses_states=ROWS[row].loses_states)
    finally:
        if fault in ("full", "fail"):
            faulty.tiny("restart")
            faulty.runs_again()
    if place != "rehearsal" and fault in ENDS_THE_NODE:
        assert outcome == "restarted"
    if place == "before" and fault in ("raise", "hang"):
        assert outcome == "aborted"
    faulty.check_leftovers()


def carry_out(node: FaultyNode, target: str, place: str, fault: str) -> str:
    """Install or roll back; returns the outcome that the node tells, or "refused" if it began nothing."""
    known = newest_operation(node)
    unrehearsed = fault == "no fork"
    with contextlib.suppress(Refused):
        if target == "1.0":
            started = node.ask(methods.ROLLBACK, m.Rollback(unrehearsed=unrehearsed))
        else:
            started = node.ask(methods.INSTALL, m.Install(vsn=target, again=True, unrehearsed=unrehearsed))
        assert started.operation
        if fault == "freeze" and place != "rehearsal":
            node.thaw()
    node.runs_again()
    newest = newest_operation(node)
    return "refused" if newest is None or (known and known.id == newest.id) else newest.outcome or ""


def newest_operation(node: FaultyNode) -> m.Operation | None:
    """The node keeps a limited number of operations, so their number doesn't tell whether there is a new one."""
    return next(reversed(node.ask(methods.OPERATIONS, m.ListLimit(limit=1000)).operations), None)


def check(node: FaultyNode, before: Facts, outcome: str, target: str, *, loses_states: bool) -> None:
    """The outcome that was told is the truth."""
    after = node.facts()
    match outcome:
        case "installed" | "reverted":
            assert (after.boot_id, after.vsn) == (before.boot_id, target)
            assert after.count == (0 if loses_states else before.count)
        case "refused" | "aborted":
            assert after == before
        case "put back":
            assert after == before or loses_states
            assert (after.boot_id, after.vsn) == (before.boot_id, before.vsn)
        case "restarted" | "partly put back":
            assert after.boot_id != before.boot_id
            assert (after.vsn, after.count) == ("1.0", 0)
        case _:
            pytest.fail(f"the outcome is {outcome!r}")
