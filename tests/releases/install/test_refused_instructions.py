"""Instructions that concern the whole node, in a node in the test's process: an install refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime import Runtime
from tests.support.nodes.case_node import CaseNode, write_release
from tests.support.projects.instruction_table import INSTRUCTIONS, project


@pytest.mark.parametrize("name", [name for name, case in INSTRUCTIONS.items() if case.refused is not None])
async def test_an_instruction_for_the_whole_node_is_refused_and_changes_nothing(tmp_path: Path, name: str) -> None:
    case = INSTRUCTIONS[name]
    write_release(tmp_path, project("1", {"only": case}))
    write_release(tmp_path, project("2", {"only": case}, newer=("only",)))
    async with Runtime():
        node = CaseNode(tmp_path)
        await node.start()
        try:
            operation = await node.install("2")
            said = f"{case.refused}: this needs a restart of the node."
            assert (operation.outcome, operation.error) == ("aborted", said)
            assert await node.observe("only") == case.views()[0]
        finally:
            await node.end()
