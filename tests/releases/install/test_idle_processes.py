"""Processes that handle no message between two upgrades hold no old version."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_statem
from tests.support.projects.small_shop import LAMP, LOAD_LAMP

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

REFERENCES = {
    "a logger": "import logging\nlogger = logging.getLogger(__name__)\n",
    "an event loop": "import asyncio\nLOOP = asyncio.get_running_loop()\n",
    "the runtime": "from node_runtime.processes import runtime\nRUNTIME = runtime()\n",
    "the log's handlers": "import logging\nHANDLERS = logging.root.handlers\n",
}


@pytest.mark.parametrize("what", REFERENCES)
async def test_an_idle_process_of_a_module_that_refers_to_the_whole_node_holds_no_old_version(
    small: SmallNode, what: str
) -> None:
    for vsn in ("1", "2", "3"):
        appup = "" if vsn == "1" else LOAD_LAMP.replace('"1"', f'"{int(vsn) - 1}"')
        small.write(vsn, {"shop.lamp": f"VSN = {vsn}\n{REFERENCES[what]}{LAMP}"}, appup)
    small.boot()
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")
    assert (await small.install("2")).outcome == "installed"
    assert small.code.holders("shop.lamp") == ()
    third = await small.install("3")
    assert (third.outcome, third.error) == ("installed", None)
