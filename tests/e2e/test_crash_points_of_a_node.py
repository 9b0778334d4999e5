"""A whole node that is killed, or whose disk fails, at a step of an operation boots one permanent release.

A retry succeeds.

In `make test` one step of three operations is tried, in `make test-all` one of each with each fault; `make crash` tries
all steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import locate
from tests.support.nodes.crashing_node import CrashingNode, crashing, crashing_tarballs
from tests.support.nodes.frail_node import NAME

__all__ = ["crashing", "crashing_tarballs"]

EVERY: Final = int(os.environ.get("CRASH_POINTS_EVERY", "0"))
"""One of so many steps is tried; with 0, one step of each operation."""


class Unsuccessful(Exception):
    """An operation has another outcome than success."""


def need(operation: m.Operation, outcome: str) -> None:
    if operation.outcome != outcome:
        raise Unsuccessful(operation.error or operation.outcome)


@dataclass(frozen=True, slots=True)
class Nodes:
    """The node, and the tarball of its release 2.0."""

    node: CrashingNode
    tarball: Path

    def stage(self) -> None:
        asyncio.run(self._staged())

    async def _staged(self) -> None:
        async with Client.connect(locate(NAME), user="test", client_name="test") as client:
            await client.stage(self.tarball)

    def install(self, vsn: str = "2.0") -> None:
        need(self.node.done(methods.INSTALL, m.Install(vsn=vsn)), "installed")

    def commit(self) -> None:
        need(self.node.ask(methods.COMMIT, m.Commit()), "committed")

    def rollback(self) -> None:
        need(self.node.done(methods.ROLLBACK, m.Rollback()), "reverted")

    def remove(self) -> None:
        self.node.ask(methods.REMOVE, m.ReleaseVsn(vsn="2.0"))

    def reset(self, *, current: str = "1.0", unpacked: bool = True) -> None:
        """Make 1.0 permanent and `current` current; 2.0 is `unpacked`."""
        statuses = self.node.statuses()
        if statuses["1.0"] == "current":
            self.rollback()
        if self.node.statuses().get("2.0") == "permanent":
            self.install("1.0")
            self.commit()
        if self.node.statuses().get("2.0") == "current":
            self.rollback()
        if unpacked and "2.0" not in statuses:
            self.stage()
        if not unpacked and "2.0" in statuses:
            self.remove()
        if current == "2.0":
            self.install()


@dataclass(frozen=True, slots=True)
class Case:
    """An operation, and the state of the node before it."""

    operation: Callable[[Nodes], None]
    current: str = "1.0"
    unpacked: bool = True


CASES: Final = {
    "stage": Case(Nodes.stage, unpacked=False),
    "install": Case(Nodes.install),
    "commit": Case(Nodes.commit, current="2.0"),
    "rollback": Case(Nodes.rollback, current="2.0"),
    "remove": Case(Nodes.remove),
}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("stage", "kill"),
        ("commit", "kill"),
        ("rollback", "kill"),
        # The crash matrix has all pairs, without a node.
        pytest.param("stage", "fail", marks=pytest.mark.slow),
        pytest.param("install", "fail", marks=pytest.mark.slow),
        pytest.param("install", "kill", marks=pytest.mark.slow),
        pytest.param("remove", "kill", marks=pytest.mark.slow),
        pytest.param("commit", "fail", marks=pytest.mark.slow),
    ],
)
def test_after_a_fault_at_a_step_on_the_disk_the_node_boots_one_permanent_release_and_a_retry_succeeds(
    crashing: CrashingNode, crashing_tarballs: dict[str, Path], name: str, fault: str
) -> None:
    case, nodes = CASES[name], Nodes(crashing, crashing_tarballs["2.0"])
    nodes.reset(current=case.current, unpacked=case.unpacked)
    crashing.arm(0)
    case.operation(nodes)
    steps = crashing.steps()
    for at in range(1, steps + 1, EVERY) if EVERY else [steps // 2]:
        nodes.reset(current=case.current, unpacked=case.unpacked)
        with crashing.booted_again():
            crashing.arm(at, fault)
            with contextlib.suppress(Refused, Unsuccessful):
                case.operation(nodes)
            if fault == "fail":
                crashing.tiny("restart")
        check(crashing, f"{name}: {fault} at step {at} of {steps}")
        nodes.reset(current=case.current, unpacked=case.unpacked)
        case.operation(nodes)


@pytest.mark.parametrize(
    ("name", "at", "sentence"),
    [
        ("stage", 1, r"The node can't store the tarball \(Input/output error\); check the node's disk and stage the"),
        pytest.param(
            "stage",
            2,
            r"The node can't store the tarball \(Input/output error\); check the node's disk and stage the",
            marks=pytest.mark.slow,  # the same sentence at the next step
        ),
        (
            "remove",
            9,
            r"Release 2\.0 can't be removed completely: Input/output error; check the disk, then restart the",
        ),
    ],
)
def test_a_disk_that_fails_is_one_sentence(
    crashing: CrashingNode, crashing_tarballs: dict[str, Path], name: str, at: int, sentence: str
) -> None:
    case, nodes = CASES[name], Nodes(crashing, crashing_tarballs["2.0"])
    nodes.reset(current=case.current, unpacked=case.unpacked)
    crashing.arm(at, "fail")
    with pytest.raises(Refused, match=sentence):
        case.operation(nodes)
    crashing.tiny("restart")
    check(crashing, f"{name}: fail at step {at}")


def check(node: CrashingNode, where: str) -> None:
    """One release is permanent, on the disk and in the node, and runs; nothing half is left."""
    directory = node.directory
    record = json.loads((directory / "releases/record.json").read_text())
    on_disk = {vsn: held["status"] for vsn, held in record["releases"].items()}
    assert [vsn for vsn, status in on_disk.items() if status == "permanent"] == [record["permanent"]], where
    assert node.statuses() == on_disk, where
    assert node.parent()["vsn"] == record["permanent"], where
    assert {one.damaged for one in node.ask(methods.RELEASES).releases} == {None}, where
    assert names(directory / "releases") == {*on_disk, "record.json"}, where
    assert {name for name in names(directory / "lib") if name.startswith("tiny")} == {f"tiny-{v}" for v in on_disk}
    assert names(directory / "var/staging") == set(), where
    assert names(directory / "var/history") == {"operations.jsonl"}, where
    assert names(node.folder / "run") == {f"{NAME}.json", f"{NAME}.lock"}, where
    known = node.ask(methods.OPERATIONS, m.ListLimit()).operations
    assert all(one.outcome is not None for one in known), where


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
