"""The hub as a visitor sees it: the page stays open through every change of the node, connected and complete."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.chromium import Page, chromium, program
from tests.support.nodes.fil_node import build
from tests.support.nodes.hub_node import EXAMPLES, HubNode, running, talking

pytestmark = pytest.mark.skipif(
    program() is None, reason="no chromium on this machine; install it to see the hub in a real browser"
)

NUMBERS = "[...document.querySelectorAll('#messages li')].map(item => Number(item.dataset.number))"
OWN = "[...document.querySelectorAll('#messages li')].filter(item => item.textContent.includes(' vis: ')).length"
SAY = "text.value = 'hello'; say.requestSubmit()"


async def check(page: Page, said: int) -> None:
    """Say something, and see that nothing is missing or doubled, and that the page has never been disconnected."""
    await page.evaluate(SAY)
    await page.until(f"{OWN} === {said}")
    count = len(await page.evaluate(NUMBERS))
    await page.until(f"{NUMBERS}.length > {count + 5}")
    numbers = await page.evaluate(NUMBERS)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert await page.evaluate("document.body.dataset.closed") == "0"
    assert "vis" in await page.evaluate("state.textContent")


async def hub(node: HubNode, *words: str, code: int = 0) -> str:
    done = await asyncio.to_thread(node.bin, *words, code=code)
    return done.stdout + done.stderr


@pytest.mark.slow  # it builds three releases with FastAPI, starts a browser, and runs six commands
async def test_the_page_stays_connected_through_an_upgrade_a_failed_upgrade_and_a_downgrade(tmp_path: Path) -> None:
    tarballs = {vsn: build(EXAMPLES / vsn, tmp_path) for vsn in ("1.0", "1.1", "1.2")}
    with running(tarballs["1.0"], tmp_path, messages=10**6) as node:
        for vsn in ("1.1", "1.2"):
            await hub(node, "unpack", str(tarballs[vsn]))
        async with chromium(tmp_path / "browser") as page, talking(node, "attic", "eve"):
            await page.open(f"http://127.0.0.1:{node.port}/?room=lobby&name=vis")
            async with talking(node, "lobby", "ann") as (ann,):
                await check(page, 1)
                await hub(node, "upgrade", "--yes", "--commit", "1.1")
                await check(page, 2)
                assert "IndexError" in await hub(node, "upgrade", "--yes", "1.2", code=1)
                await check(page, 3)
                await hub(node, "downgrade", "--yes", "1.0", "--lose", "hub.room:State.topic")
                await check(page, 4)
                assert ann.trouble == []
