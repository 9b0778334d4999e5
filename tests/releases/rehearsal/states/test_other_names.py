"""A plan names running processes that keep a name which the new version of their start function does not register."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

BY_CONSTANT = """
from node_runtime import gen_server

async def start_link():
    return await gen_server.start_link(Counter, name="{name}")
"""
BY_GLOBAL = """
from node_runtime import gen_server
NAME = "{name}"

async def start_link():
    return await gen_server.start_link(Counter, name=NAME)
"""
BY_DEFAULT = """
from node_runtime import gen_server

async def start_link(name="{name}"):
    return await gen_server.start_link(Counter, name=name)
"""


async def warned(small: SmallNode, first: str, second: str) -> list[str]:
    small.write("1", {"shop.counter": first + COUNTER})
    small.write("2", {"shop.counter": second + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    pid = await importlib.import_module("shop.counter").start_link()
    found = [one for one in (await small.handler.plan("2")).warnings if "another name" in one]
    return [one.replace(str(pid), "PID") for one in found]


@pytest.mark.parametrize("start", [BY_CONSTANT, BY_GLOBAL, BY_DEFAULT])
async def test_a_process_that_keeps_its_former_name_is_named(small: SmallNode, start: str) -> None:
    assert await warned(small, start.format(name="till"), start.format(name="desk")) == [
        "shop.counter.start_link has another name in release 2 (desk) than till PID, which keeps its name: no process "
        "has the new name until it is restarted. Keep the name, or let the appup restart the process by "
        "`restart_child`."
    ]


@pytest.mark.parametrize("second", [BY_GLOBAL, BY_DEFAULT])
async def test_a_name_that_is_written_in_another_way_is_the_same_name(small: SmallNode, second: str) -> None:
    assert await warned(small, BY_CONSTANT.format(name="till"), second.format(name="till")) == []
