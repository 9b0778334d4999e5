"""The main job as a user sees it: a browser has the page open while the node is upgraded and downgraded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.chromium import Page, chromium, program
from tests.support.nodes.fil_node import FilNode

pytestmark = pytest.mark.skipif(
    program() is None, reason="no chromium on this machine; install it to see fil in a real browser"
)

# The page records the colours of its header in a variable, which a reload would clear.
WATCH = """
  window.seen = []
  new MutationObserver(() => seen.push(color.style.backgroundColor)).observe(color, { attributes: true })
"""
WAIT = ("--wait", 30)


async def test_the_page_shows_an_upgrade_and_a_downgrade_while_it_stays_open(
    fil_node: FilNode, fil_tarballs: dict[str, Path], tmp_path: Path
) -> None:
    async with chromium(tmp_path / "browser") as page:
        await page.open(fil_node.url)
        assert await headline(page) == "Hello #1"
        await page.evaluate(WATCH)
        await until_seen(page, "olive", "green", "lime")

        await asyncio.to_thread(fil_node.fil, "unpack", fil_tarballs["1986.b"])
        assert await headline(page) == "Hello #1"
        assert "red" not in await page.evaluate("seen")
        await asyncio.to_thread(fil_node.fil, "upgrade", "--yes", "1986.b", *WAIT)
        await until_seen(page, "red")
        assert {"olive", "green", "lime"} <= set(await page.evaluate("seen"))
        assert await headline(page) == "Hello #1"
        await page.reload()
        assert await headline(page) == "Hello #2"

        await page.evaluate(WATCH)
        await until_seen(page, "olive", "green", "red")
        assert "lime" not in await page.evaluate("seen")
        await asyncio.to_thread(fil_node.fil, "downgrade", "--yes", "1986.a", *WAIT)
        await until_seen(page, "lime")
        await page.reload()
        assert await headline(page) == "Hello #1"


async def headline(page: Page) -> str:
    """The text of the page's header."""
    return str(await page.evaluate("color.querySelector('h1').textContent"))


async def until_seen(page: Page, *colors: str) -> None:
    """Wait until the header has had all of these colours since WATCH ran."""
    await page.until(f"{list(colors)}.every((one) => seen.includes(one))")
