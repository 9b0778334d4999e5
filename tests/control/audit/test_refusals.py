"""Refused logins and requests: recorded, and counted, so that a flood of them flushes nothing away."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from node_runtime.control.audit import Refusals
from node_runtime.control.audit.refusals import MAX_SOURCES
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


def audit_lines(shop: Node) -> list[dict[str, Any]]:
    path = shop.root / "var" / "audit.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def try_unknown_keys(shop: Node, times: int) -> None:
    """Connect with unknown keys, and wait until each of them is refused."""
    for _ in range(times):
        with zmq.asyncio.Context() as context:  # its own: the name of a monitor is in use until libzmq has closed it
            await try_an_unknown_key(shop, context)


async def try_an_unknown_key(shop: Node, context: zmq.asyncio.Context) -> None:
    address = shop.address()
    with context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.curve_serverkey = address.cookie.server
        stranger.setsockopt(zmq.RECONNECT_IVL, -1)
        with stranger.get_monitor_socket() as monitor:
            stranger.connect(f"tcp://{address.host}:{address.port}")
            async with asyncio.timeout(60):
                while parse_monitor_message(await monitor.recv_multipart())["event"] not in (
                    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
                    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
                    zmq.Event.HANDSHAKE_FAILED_AUTH,
                ):
                    pass


async def test_refused_logins_are_one_line_and_then_a_number(shop: Node) -> None:
    assert audit_lines(shop) == []  # the node's own test of its port is none of them
    await try_unknown_keys(shop, 1)
    await eventually(lambda: audit_lines(shop), what="the first line")
    await try_unknown_keys(shop, 30)
    shop.control.stop()
    first, rest = audit_lines(shop)
    assert (first["method"], first["role"], first["peer"]) == ("login", "none", "127.0.0.1")
    assert first["outcome"] == "refused: unknown key"
    assert rest["outcome"] == "30 more: refused: unknown key"


async def test_a_viewer_that_tries_everything_has_two_lines_and_an_event(shop: Node) -> None:
    async with shop.client("viewer") as client:
        for number in range(50):
            with pytest.raises(Refused) as caught:
                await client.request(Method(f"invented_{number}", m.Empty, m.Empty, "viewer"))
            assert caught.value.code == ExitCode.NOT_ALLOWED
        events = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
    assert [event.text for event in events if event.kind == "audit"] == [
        "a request of viewer from 127.0.0.1: refused: the role may not do this, or there is no such method"
    ]
    shop.control.stop()
    first, rest = audit_lines(shop)
    assert (first["who"], first["claim"], first["method"]) == ("viewer", "ann", "invented_0")
    assert rest["outcome"].startswith("49 more: ")


async def test_a_reason_of_900_kilobytes_is_refused_and_written_nowhere(shop: Node) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused, match=r"The reason has 900,000 characters \(limit 500\)"):
            await client.request(methods.INSTALL, m.Install(vsn="1.1", reason="x" * 900_000))
        with pytest.raises(Refused):
            await client.request(methods.INSTALL, m.Install(vsn="9" * 900_000, reason="short"))
        entries = (await client.request(methods.AUDIT, m.ListLimit(limit=2))).entries
    assert [(entry.phase, entry.reason) for entry in entries] == [("intent", "short"), ("outcome", "short")]
    assert (shop.root / "var" / "audit.jsonl").stat().st_size < 10_000


async def test_what_a_client_claims_is_cut_and_never_its_name(shop: Node) -> None:
    async with Client.connect(shop.address(), user="\n" + "u" * 5000, client_name="test") as client:
        with pytest.raises(Refused):
            await client.request(methods.INSTALL, m.Install(vsn="9.9"))
        entry = (await client.request(methods.AUDIT, m.ListLimit(limit=1))).entries[0]
    assert entry.who == "operator"
    assert entry.claim.startswith("\\nuuu")
    assert len(entry.claim) <= 101


async def test_a_verification_over_the_wire_finds_an_edit(shop: Node) -> None:
    path = shop.root / "var" / "audit.jsonl"
    async with shop.client() as client:
        for _ in range(2):
            with pytest.raises(Refused):
                await client.request(methods.REMOVE, m.ReleaseVsn(vsn="9.9"))
        assert (await client.request(methods.AUDIT_VERIFY)).intact
        path.write_text(path.read_text().replace("ann", "bob", 1))
        check = await client.request(methods.AUDIT_VERIFY)
    assert (check.intact, check.entries) == (False, 4)
    assert "var/audit.jsonl, line 2: the line before it was changed" in check.sentence
    async with shop.client("viewer") as viewer:
        assert (await viewer.request(methods.AUDIT, m.ListLimit())).entries
        with pytest.raises(Refused) as caught:
            await viewer.request(replace(methods.AUDIT_VERIFY, role="viewer"))
        assert caught.value.code == ExitCode.NOT_ALLOWED


def test_many_addresses_share_the_lines_of_an_interval() -> None:
    written: list[m.AuditEntry] = []
    told: list[str] = []
    timers: list[Callable[[], None]] = []
    refusals = Refusals(written.append, told.append, lambda seconds, task: timers.append(task))
    for number in range(1000):
        refusals.note_login(f"10.0.{number // 250}.{number % 250}", "")
        refusals.note_login(f"10.0.{number // 250}.{number % 250}", "")
    assert (len(written), len(told), len(timers)) == (MAX_SOURCES, MAX_SOURCES, 1)
    timers[0]()
    assert len(written) == 2 * MAX_SOURCES + 1
    assert [entry.outcome for entry in written if entry.peer == "several addresses"] == [
        f"{2 * (1000 - MAX_SOURCES):,} more: refused: unknown key"
    ]
    refusals.note_login("10.9.9.9", "ana")
    assert written[-1].outcome == "refused: the key of ana is revoked or expired"
