"""The end of the gateway: the node runs on, starts another one, and says so."""

from __future__ import annotations

import os
import signal
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import pytest

from node_runtime import whereis
from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.os_processes import gateway_of, running_gateway
from tests.support.waiting import answered, eventually

if TYPE_CHECKING:
    import psutil

    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


async def another_gateway(before: psutil.Process) -> psutil.Process:
    """Wait for the successor of a gateway."""
    await eventually(lambda: gateway_of() not in (None, before), what="another gateway")
    return running_gateway()


async def connected(shop: Node) -> m.NodeInfo:
    """Connect as soon as the gateway listens; the node's reply to hello."""

    async def hello() -> m.NodeInfo | None:
        with suppress(Refused):
            async with shop.client() as client:
                return client.info
        return None

    return await answered(hello, "a reply to hello")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
async def test_the_node_survives_the_end_of_the_gateway_on_the_same_port_and_says_so(
    shop: Node, caplog: pytest.LogCaptureFixture, number: signal.Signals
) -> None:
    before, till = running_gateway(), whereis("till")
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        os.kill(before.pid, number)
        with pytest.raises(Refused) as caught:
            async for _ in events:
                pass
    assert caught.value.code == ExitCode.UNREACHABLE
    assert (await connected(shop)).boot_id == "b00t"
    assert running_gateway() != before
    assert whereis("till") == till
    sentence = f"ended by signal {number.name}"
    assert any(sentence in record.getMessage() for record in caplog.records)
    async with shop.client("viewer") as client:
        kept = (await client.request(methods.EVENTS, m.ListLimit())).events
        async with aclosing(client.events()) as events:
            await anext(events)
            assert isinstance(await anext(events), m.NodeEvent)
    assert [event.kind for event in kept if sentence in event.text and "was started again" in event.text] == ["log"]


async def test_a_gateway_that_ends_again_and_again_is_started_after_growing_pauses(
    shop: Node, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        before = running_gateway()
        before.kill()
        await another_gateway(before)
    assert await connected(shop)
    pauses = [record.getMessage().rpartition(" in ")[2] for record in caplog.records if " in " in record.getMessage()]
    assert pauses == ["0.5 s", "1 s"]


async def test_a_gateway_that_answers_no_more_is_ended_and_replaced(
    shop: Node, caplog: pytest.LogCaptureFixture
) -> None:
    shop.open_control(GatewayLimits(max_answer_seconds=0.4))
    before = running_gateway()
    before.suspend()
    await another_gateway(before)
    assert await connected(shop)
    assert any("has not answered for 0.4 s" in record.getMessage() for record in caplog.records)
