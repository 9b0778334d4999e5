"""Access to the control plane: cookies, roles, and frames that no client of ours would send."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zmq

from node_runtime.control.gateway.access_selftest import refuses_strangers
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import make_keys
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import METHODS, Method
from node_runtime.protocol.run_directory import NodeAddress

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node
    from tests.support.raw_client import ConnectRaw

pytest_plugins = ["tests.support.nodes.shop_node", "tests.support.raw_client"]
NAME = "shop@127.0.0.1"


async def refusal(address: NodeAddress) -> Refused:
    with pytest.raises(Refused) as caught:
        async with Client.connect(address, user="eve", client_name="test"):
            pass
    return caught.value


async def test_the_same_user_needs_no_cookie_and_gets_the_nodes_identity(shop: Node) -> None:
    async with shop.client() as client:
        assert (client.info.name, client.info.vsn, client.info.permanent) == (NAME, "1.0", "1.0")
        assert client.info.role == "operator"
        await client.request(methods.PING)


async def test_a_cookie_of_another_node_is_refused_at_once_and_for_good(shop: Node) -> None:
    address = shop.address()
    stranger = replace(address.cookie, secret=zmq.curve_keypair()[1])
    refused = await refusal(replace(address, cookie=stranger))
    assert refused.code == ExitCode.NOT_ALLOWED
    assert "bin/<name> cookie" in refused.sentence


async def test_a_cookie_with_the_wrong_server_key_is_refused(shop: Node) -> None:
    address = shop.address()
    mistaken = replace(address.cookie, server=zmq.curve_keypair()[0])
    refused = await refusal(replace(address, cookie=mistaken))
    assert refused.code == ExitCode.UNREACHABLE
    assert "the cookie is not for this node's present key" in refused.sentence


async def test_a_port_where_nobody_listens_says_that_the_process_is_alive(shop: Node) -> None:
    shop.control.stop()
    refused = await refusal(shop.address())
    assert refused.code == ExitCode.UNREACHABLE
    assert "is alive" in refused.sentence


async def test_a_viewer_may_read_but_every_operation_is_refused_as_unknown(shop: Node) -> None:
    made_up = Method("does_not_exist", m.Empty, m.Empty, "viewer")
    orders: list[Method[Any, Any]] = [method for method in METHODS if method.role == "operator"]
    async with shop.client("viewer") as client:
        assert client.info.role == "viewer"
        await client.request(methods.SNAPSHOT)
        sentences = set()
        for method in (made_up, *orders):
            with pytest.raises(Refused) as caught:
                await client.request(replace(method, params=m.Empty))
            assert caught.value.code == ExitCode.NOT_ALLOWED
            sentences.add(caught.value.sentence.replace(repr(method.name), "X"))
        assert len(sentences) == 1


async def test_an_unknown_method_is_refused_for_an_operator_too(shop: Node) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused) as caught:
            await client.request(Method("__init__", m.Empty, m.Empty, "viewer"))
        assert caught.value.code == ExitCode.NOT_ALLOWED


async def test_every_method_of_the_table_is_answered(shop: Node) -> None:
    would_act = (methods.STOP, methods.COMMIT, methods.ROLLBACK, methods.ABORT)
    sentences = []
    async with shop.client() as client:
        harmless: list[Method[Any, Any]] = [method for method in METHODS if method not in would_act]
        for method in harmless:
            try:
                await client.request(replace(method, params=m.Empty))
            except Refused as refused:
                sentences.append(refused.sentence)
    assert sentences
    assert [
        text for text in sentences if "can't decode the parameters" not in text and "no operation" not in text
    ] == []


async def test_unknown_fields_are_refused(shop: Node) -> None:
    class Sneaky(m.WireStruct, frozen=True):
        pid: int
        also: str

    state: Method[Any, Any] = methods.STATE
    async with shop.client() as client:
        with pytest.raises(Refused, match="can't decode the parameters"):
            await client.request(replace(state, params=Sneaky), Sneaky(pid=1, also="x"))


async def test_a_refusal_repeats_only_the_beginning_of_a_huge_value(shop: Node) -> None:
    class Filter(m.WireStruct, frozen=True):
        order: str

    processes: Method[Any, Any] = methods.PROCESSES
    async with shop.client("viewer") as client:
        for order in ("x" * 500_000, "\x1b" * 500_000):
            with pytest.raises(Refused, match="can't decode the parameters") as caught:
                await client.request(replace(processes, params=Filter), Filter(order=order))
            assert len(caught.value.sentence) < 2000


@pytest.mark.parametrize("wait", [float("nan"), float("-inf"), -1.0])
async def test_an_install_or_a_rollback_that_would_wait_for_no_time_at_all_is_refused(shop: Node, wait: float) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused, match=r"Expected `float` >= 0.0 - at `\$.wait`"):
            await client.request(methods.INSTALL, m.Install(vsn="2.0", wait=wait))
        with pytest.raises(Refused, match=r"Expected `float` >= 0.0 - at `\$.wait`"):
            await client.request(methods.ROLLBACK, m.Rollback(wait=wait))


async def test_another_protocol_is_answered_with_one_sentence(shop: Node) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused, match="uses protocol version 99"):
            await client.request(methods.HELLO, m.Hello(protocol=99, client="old", user="ann"))


async def test_garbage_frames_change_nothing(shop: Node, connect_raw: ConnectRaw) -> None:
    raw = connect_raw(shop.address())
    for frame in (b"", b"\xff" * 100, msgspec.msgpack.encode({"id": 1}), b"\x91" * 10_000):
        await raw.socket.send(frame)
    await raw.send(methods.PING)
    replies = [await raw.receive() for _ in range(5)]
    assert [reply.id for reply in replies] == [0, 0, 0, 0, 1]
    assert replies[-1].failure is None


async def test_a_raw_connection_without_keys_gets_nothing_and_disturbs_no_client(shop: Node) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await writer.drain()
    async with shop.client() as client:
        await client.request(methods.PING)
    writer.close()


async def test_a_client_that_disconnects_in_the_middle_disturbs_no_other(shop: Node) -> None:
    async with shop.client() as other:
        for _ in range(5):
            async with shop.client() as client:
                pending = asyncio.create_task(client.request(methods.SNAPSHOT))
                await asyncio.wait([pending], timeout=0)
                pending.cancel()
        await other.request(methods.PING)


async def test_a_port_that_is_taken_is_one_sentence(shop: Node) -> None:
    second = shop.make_control(f"127.0.0.1:{shop.port}")
    with pytest.raises(Refused, match="can't listen on"):
        second.start()


async def test_listen_has_to_be_host_and_port(shop: Node) -> None:
    with pytest.raises(Refused, match=r"not host:port; 127\.0\.0\.1:0 chooses a free port"):
        shop.make_control("8004")


def test_the_self_test_finds_an_endpoint_that_lets_strangers_in() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    open_to_all = context.socket(zmq.ROUTER)
    public, secret = zmq.curve_keypair()
    open_to_all.curve_server = True
    open_to_all.curve_secretkey = secret
    port = open_to_all.bind_to_random_port("tcp://127.0.0.1")
    try:
        assert not refuses_strangers(public, "127.0.0.1", port)
    finally:
        context.destroy(linger=0)


async def test_the_keys_stay_the_same_over_a_restart_of_the_endpoint(shop: Node) -> None:
    before = make_keys(shop.root)
    shop.open_control()
    assert make_keys(shop.root) == before
    async with shop.client() as client:
        await client.request(methods.PING)
