"""Pairs of instructions in one script, up, down and up again, in a node in the test's process.

`make test` tries each instruction with the next one of the table; `make fuzz` tries every pair in both orders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from node_runtime import Runtime, runtime
from tests.support.nodes.case_node import CaseNode, write_release
from tests.support.projects.instruction_table import INSTRUCTIONS, Case, project

POSSIBLE = [name for name, case in INSTRUCTIONS.items() if case.refused is None]
DISTANCES = range(len(POSSIBLE)) if os.environ.get("INSTRUCTION_PAIRS") == "every" else (1,)
"""The distances in the table between the two instructions of a pair."""


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("name", POSSIBLE)
async def test_two_instructions_of_one_script_take_effect_up_and_down(tmp_path: Path, name: str, distance: int) -> None:
    other = POSSIBLE[(POSSIBLE.index(name) + distance) % len(POSSIBLE)]
    cases = {"left": INSTRUCTIONS[name], "right": INSTRUCTIONS[other]}
    write_release(tmp_path, project("1", cases))
    write_release(tmp_path, project("2", cases, newer=cases))
    async with Runtime():
        runtime().on_halt = lambda reason: pytest.fail(f"the node halts: {reason}")
        node = CaseNode(tmp_path)
        await node.start()
        try:
            await sees(node, cases, 0)
            await go(node, "2")
            await sees(node, cases, 1)
            await go(node, "1")
            await sees(node, cases, 2)
            await go(node, "2")
        finally:
            await node.end()


async def go(node: CaseNode, vsn: str) -> None:
    operation = await node.install(vsn)
    assert (operation.outcome, operation.error) == ("installed", None)


async def sees(node: CaseNode, cases: Mapping[str, Case], stage: int) -> None:
    for app, case in cases.items():
        assert await node.observe(app) == case.views()[stage], app
