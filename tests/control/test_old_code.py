"""Old code on a node: what keeps it is listed, and the verbs `purge` and `kill` end it; the audit log has both."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from hotdash.cli import hotdash
from node_runtime import spawn
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store.catalog import Catalog
from tests.support.waiting import begun, eventually

if TYPE_CHECKING:
    from click.testing import Result

    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]
BOOT, NAME = "b00t", "shop@127.0.0.1"


@pytest.fixture
async def poller(shop: Node) -> Any:
    """A task that no process owns, in code that was replaced. shop_lamp has an old version."""
    till = importlib.import_module("shop_till").Till()
    task = asyncio.create_task(till.ponder(), name="ponder")
    await begun(task)
    del till
    shop.code.prepare([Catalog(shop.root).release("1.1").sources["shop_till"]]).commit()
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def run(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, hotdash, list(words))


async def test_modules_lists_what_keeps_an_old_version(shop: Node, poller: asyncio.Task[Any]) -> None:
    table = await run("modules", NAME)
    assert "task ponder (shop_till.Till.ponder) runs shop_till.Till.ponder" in table.output
    (listed,) = [one for one in json.loads((await run("modules", NAME, "-o", "json")).output) if one["old_vsn"]]
    assert [(one["kind"], one["task"]) for one in listed["old_holders"]] == [("task", "ponder")]


async def test_a_purge_shows_what_it_would_end_and_asks(shop: Node, poller: asyncio.Task[Any]) -> None:
    asked = await run("purge", NAME, "shop_till")
    assert "task ponder (shop_till.Till.ponder)" in asked.output
    assert "a purge cancels it" in " ".join(asked.output.split())
    assert asked.exit_code != 0
    assert not poller.done()
    done = await run("purge", NAME, "shop_till", "--yes", "--reason", "old", "-o", "json")
    assert json.loads(done.output) == {
        "module": "shop_till",
        "dropped": True,
        "killed": [],
        "cancelled": ["task ponder (shop_till.Till.ponder)"],
        "left": [],
        "cleared": [],
        "closed": [],
    }
    assert poller.cancelled()
    lines = [json.loads(line) for line in (shop.root / "var" / "audit.jsonl").read_text().splitlines()]
    told = [(one["method"], one["subject"], one["phase"], one.get("reason")) for one in lines]
    assert told == [("purge", "shop_till", "intent", "old"), ("purge", "shop_till", "outcome", "old")]
    nothing = await run("purge", NAME, "shop_till", "--yes")
    assert "shop_till has no old version" in str(nothing.exception)


async def test_a_purge_kills_a_process_that_runs_the_old_version(shop: Node, poller: asyncio.Task[Any]) -> None:
    old = shop.code.versions("shop_till")[1]
    assert old is not None
    pid = spawn(old.namespace["Till"]().ponder)
    await eventually(lambda: pid in shop.code.pids_running_old_code("shop_till"))
    async with shop.client() as client:
        (listed,) = (await client.request(methods.OLD_CODE, timeout=60)).modules
        assert {(one.kind, one.pid) for one in listed.holders} == {("task", None), ("process", int(pid))}
        purged = await client.request(methods.PURGE, m.PurgeModule(module="shop_till", boot_id=BOOT), timeout=60)
    assert (purged.dropped, purged.killed) == (True, (str(pid),))


async def test_kill_cancels_a_task_by_its_name(shop: Node, poller: asyncio.Task[Any]) -> None:
    done = await run("kill", NAME, "ponder", "--yes")
    assert done.output.strip() == f"Requested on {NAME}: kill task ponder (shop_till.Till.ponder)."
    await eventually(poller.cancelled)
    none = await run("kill", NAME, "ponder", "--yes")
    assert none.exit_code != 0


async def test_a_viewer_sees_old_code_and_ends_none(shop: Node, poller: asyncio.Task[Any]) -> None:
    async with shop.client("viewer") as client:
        forbidden: tuple[tuple[Any, Any], ...] = (
            (methods.PURGE, m.PurgeModule(module="shop_till", boot_id=BOOT)),
            (methods.KILL_TASK, m.TaskTarget(name="ponder", boot_id=BOOT)),
        )
        for method, params in forbidden:
            with pytest.raises(Refused, match="method"):
                await client.request(method, params)
        # Last, because a viewer pays for the processor time of the search.
        assert [one.module for one in (await client.request(methods.OLD_CODE, timeout=60)).modules] == ["shop_till"]
    assert not poller.done()


async def test_an_operator_reads_the_source_of_a_module_and_a_viewer_does_not(shop: Node) -> None:
    async with shop.client() as client:
        found = await client.request(methods.SOURCE, m.GetSource(module="shop_till"))
        with pytest.raises(Refused, match="The node has not loaded a module nothing"):
            await client.request(methods.SOURCE, m.GetSource(module="nothing"))
    assert "class Till" in found.current
    assert (found.old, found.drift) == (None, "")
    async with shop.client("viewer") as client:
        with pytest.raises(Refused, match="has no method 'source' for the role viewer"):
            await client.request(methods.SOURCE, m.GetSource(module="shop_till"))
