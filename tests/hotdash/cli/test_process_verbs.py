"""`hotdash ps` and `hotdash tree` on a node with more processes than a page has rows."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from hotdash.cli import main
from node_runtime import cast
from tests.control.test_process_queries import pool_of
from tests.support.waiting import eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

NODE: Final = "shop@127.0.0.1"


class Terminal:
    """A wide terminal in which the commands run. They run in a thread, because each has an event loop of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def hotdash(self, *words: str, code: int = 0) -> str:
        """The output of a command; its errors, if it is to fail."""
        ended: object = 0
        try:
            await asyncio.to_thread(main, words)
        except SystemExit as exited:
            ended = exited.code
        out, errors = self._capsys.readouterr()
        assert ended == code, (out, errors)
        return out if code == 0 else errors

    async def as_json(self, *words: str) -> Any:
        """The fields that a command prints."""
        return json.loads(await self.hotdash(*words, "-o", "json"))


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "200")
    return Terminal(capsys)


async def test_processes_are_listed_page_by_page(shop: Node, terminal: Terminal) -> None:
    async with pool_of(1200) as pids:
        listed = await terminal.as_json("ps", NODE)
        assert [one["pid"] for one in listed if one["parent"] == listed[-1]["parent"]] == list(map(int, pids))
        printed = (await terminal.hotdash("ps", NODE)).splitlines()
        assert len(printed) == len(listed) + 2
        assert printed[0].split() == ["pid", "name", "kind", "module", "status", "mail", "handled"]
        assert printed[-1].split() == printed[500].replace(printed[500].split()[0], f"<{int(pids[-1])}>").split()


async def test_processes_are_filtered_sorted_and_cut_by_the_node(shop: Node, terminal: Terminal) -> None:
    async with pool_of(30) as pids:
        words = (
            "--filter",
            "module:*queries",
            "--sort",
            "pid",
            "--reverse",
            "--limit",
            "2",
            "--columns",
            "pid,arguments",
        )
        printed = await terminal.hotdash("ps", NODE, *words)
        assert [line.split()[:2] for line in printed.splitlines()[2:]] == [
            [f"<{int(pids[29])}>", "29,"],
            [f"<{int(pids[28])}>", "28,"],
        ]
        assert await terminal.as_json("ps", NODE, "--filter", "name:nobody") == []
        assert "There is no field 'colour'" in await terminal.hotdash("ps", NODE, "--filter", "colour:red", code=2)
        assert "'colour' is not a column" in await terminal.hotdash("ps", NODE, "--columns", "colour", code=2)


async def test_the_tree_folds_siblings_unless_all_are_asked_for(shop: Node, terminal: Terminal) -> None:
    async with pool_of(1200) as pids:
        folded = await terminal.hotdash("tree", NODE)
        assert folded.splitlines()[:2] == [NODE, "├── shop 1.0"]
        assert "+1,150 more; --all shows them" in folded
        everything = (await terminal.hotdash("tree", NODE, "--all")).splitlines()
        assert len(everything) == len(folded.splitlines()) + 1149
        assert everything[-1].startswith(f"        └── worker <{int(pids[-1])}> gen_server")
        fields = await terminal.as_json("tree", NODE)
        assert [one["name"] for one in fields["applications"]] == ["shop"]
        others = await terminal.as_json("ps", NODE, "--filter", "!module:*queries")
        assert len(fields["processes"]) == 1200 + len(others) + 1
        assert fields["children"] == []


async def test_one_process_is_found_by_name_and_by_pid(shop: Node, terminal: Terminal) -> None:
    by_name = await terminal.as_json("state", NODE, "till")
    by_pid = await terminal.as_json("state", NODE, f"<{by_name['process']['pid']}>")
    assert by_pid["process"]["name"] == "till"
    assert "no process nobody" in await terminal.hotdash("state", NODE, "nobody", code=1)


async def test_one_process_is_printed_in_depth_as_json_and_as_a_report(shop: Node, terminal: Terminal) -> None:
    printed = await terminal.hotdash("process", NODE, "till")
    assert "till" in printed
    assert "coins  0" in printed
    assert "pin_token  ‹redacted›" in printed
    assert "→ shop_sup" in printed
    seen = await terminal.as_json("process", NODE, "till")
    assert (seen["process"]["name"], seen["child_count"], seen["log"]) == ("till", 0, None)
    report = await terminal.hotdash("process", NODE, "till", "--report")
    assert report.startswith("# Process till <")
    assert "Drawer, 2 parts" in report
    assert "## ancestors 2" in report


async def test_a_process_is_logged_traced_suspended_and_resumed(shop: Node, terminal: Terminal) -> None:
    assert await terminal.as_json("log", NODE, "till", "--reason", "slow") == []
    till: Any = imported("shop_till").Till
    cast("till", till.take, 3)
    assert [one["text"] for one in await terminal.as_json("log", NODE, "till", "--off")] == ["take(coins=3)", ""]
    assert "till" in await terminal.hotdash("suspend", NODE, "till", "--yes")
    assert (await terminal.as_json("process", NODE, "till"))["suspended_by"] == ["an operator"]
    assert "is resumed." in await terminal.hotdash("resume", NODE, "till", "--yes")
    tracing = asyncio.create_task(terminal.hotdash("trace", NODE, "till", "--seconds", "2", "-o", "json"))
    process: Any = shop.runtime.processes[shop.runtime.names["till"].pid]
    await eventually(lambda: process.debug is not None, what="the trace")
    cast("till", till.take, 4)
    assert [json.loads(one)["text"] for one in (await tracing).splitlines()] == ["take(coins=4)", ""]
