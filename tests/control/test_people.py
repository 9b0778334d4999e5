"""People with keys of their own: what the node records of them, and the end of their keys while it runs."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import Cookie, cookie_path, parse_key, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.key_files import people_folder
from node_runtime.protocol.key_rotation.key_changes import KeyChanges
from node_runtime.protocol.key_rotation.node_key import read_next_key
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]
HOUR = 3600.0


class People:
    """The people that may use a node."""

    def __init__(self, shop: Node) -> None:
        self.shop = shop
        self.cookies: list[Cookie] = []
        self.keys = KeyChanges(shop.root, self.cookies.append)

    @asynccontextmanager
    async def client(self, cookie: Cookie, user: str = "eve") -> AsyncIterator[Client]:
        async with Client.connect(replace(self.shop.address(), cookie=cookie), user=user, client_name="t") as client:
            yield client

    async def is_accepted(self, cookie: Cookie) -> bool:
        try:
            async with self.client(cookie):
                return True
        except Refused as refused:
            if refused.code != ExitCode.NOT_ALLOWED:
                raise
            return False

    async def until_accepted(self, cookie: Cookie, *, accepted: bool = True) -> None:
        async with asyncio.timeout(60):
            while await self.is_accepted(cookie) is not accepted:
                pass


async def until_refused(client: Client) -> None:
    """Send requests on this connection until one is refused."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.request(methods.PING)
            except Refused as refused:  # otherwise these are too many requests for a viewer
                if refused.code == ExitCode.NOT_ALLOWED:
                    return


@pytest.fixture
async def people(shop: Node) -> People:
    return People(shop)


def audit_lines(shop: Node) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shop.root / "var" / "audit.jsonl").read_text().splitlines()]


async def test_a_key_made_while_the_node_runs_is_accepted_and_its_name_is_certain(shop: Node, people: People) -> None:
    people.keys.make("ana", "operator")
    (cookie,) = people.cookies
    await people.until_accepted(cookie)
    async with people.client(cookie, user="bob@laptop") as client:
        assert (client.info.who, client.info.role) == ("ana", "operator")
        started = await client.request(methods.INSTALL, m.Install(vsn="1.1", reason="ticket 7"))
        ended = [state async for state in client.follow(started.operation)][-1]
        events = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
        entries = (await client.request(methods.AUDIT, m.ListLimit())).entries
    assert (ended.outcome, ended.who, ended.claim, ended.by) == ("installed", "ana", "bob@laptop", "ana (bob@laptop)")
    assert {(entry.who, entry.claim) for entry in entries if entry.method == "install"} == {("ana", "bob@laptop")}
    assert any("by ana (bob@laptop): installed" in event.text for event in events)


async def test_a_claim_can_not_be_mistaken_for_the_name_of_a_key(shop: Node, people: People) -> None:
    people.keys.make("ana", "operator")
    async with people.client(read_cookie(cookie_path(shop.root, "operator")), user="ana") as client:
        with pytest.raises(Refused):
            await client.request(methods.REMOVE, m.ReleaseVsn(vsn="9.9"))
    assert {(line["who"], line["claim"]) for line in audit_lines(shop) if line["method"] == "remove"} == {
        ("operator", "ana")
    }


async def test_a_viewers_own_key_is_a_viewers(people: People) -> None:
    people.keys.make("vera", "viewer")
    await people.until_accepted(people.cookies[0])
    async with people.client(people.cookies[0]) as client:
        with pytest.raises(Refused) as caught:
            await client.request(methods.STOP, m.StopNode())
        assert caught.value.code == ExitCode.NOT_ALLOWED


async def test_a_revoked_key_is_refused_also_on_the_connections_that_it_has(shop: Node, people: People) -> None:
    people.keys.make("ana", "operator")
    (cookie,) = people.cookies
    await people.until_accepted(cookie)
    async with people.client(cookie) as client:
        people.keys.revoke("ana")
        await until_refused(client)
        with pytest.raises(Refused):
            await client.request(methods.REMOVE, m.ReleaseVsn(vsn="9.9"))
    assert not await people.is_accepted(cookie)
    assert await people.is_accepted(read_cookie(cookie_path(shop.root, "operator")))
    lines = audit_lines(shop)
    assert "remove" not in {line["method"] for line in lines}
    assert any("ana's key" in line["subject"] and "not valid any more" in line["subject"] for line in lines)
    assert any(line["method"] == "login" and "ana is revoked" in line["outcome"] for line in lines)


async def test_both_cookies_work_in_the_grace_time_and_then_only_the_new_one(shop: Node, people: People) -> None:
    old = read_cookie(cookie_path(shop.root, "operator"))
    people.keys.rotate("operator", HOUR)
    (new,) = people.cookies
    await people.until_accepted(new)
    assert await people.is_accepted(old)
    async with people.client(old) as connected:
        people.keys.rotate("operator", 0.0)
        await people.until_accepted(people.cookies[-1])
        await people.until_accepted(old, accepted=False)
        with pytest.raises(Refused):
            await connected.request(methods.PING)


async def test_a_key_ends_at_its_time_without_any_change_of_the_files(people: People) -> None:
    people.keys.make("ana", "viewer")
    await people.until_accepted(people.cookies[0])
    people.keys.rotate("ana", 1.0)
    async with people.client(people.cookies[0]) as client:
        await until_refused(client)
    assert not await people.is_accepted(people.cookies[0])


async def test_damaged_key_files_shut_nobody_else_out(shop: Node, people: People) -> None:
    people.keys.make("ana", "operator")
    people.keys.make("bob", "operator")
    await people.until_accepted(people.cookies[1])
    (people_folder(shop.root) / "ana.json").write_text("damaged")
    await people.until_accepted(people.cookies[0], accepted=False)
    assert await people.is_accepted(people.cookies[1])
    (shop.root / "etc/keys/viewer").write_text("damaged")
    viewer = read_cookie(cookie_path(shop.root, "viewer"))
    await people.until_accepted(viewer, accepted=False)
    assert await people.is_accepted(people.cookies[1])


async def test_the_clients_are_told_that_keys_have_changed(shop: Node, people: People) -> None:
    async with shop.client() as client:
        people.keys.make("ana", "viewer")

        async def told() -> list[str]:
            events = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
            return [event.text for event in events if event.kind == "audit"]

        async with asyncio.timeout(60):
            while not await told():
                pass
        assert (await told())[0].startswith("the keys have changed: ana's key ")
    await eventually(lambda: "keys" in {line["method"] for line in audit_lines(shop)}, what="the entry about the keys")


async def until_reached(shop: Node, cookie: Cookie) -> None:
    """Connect with this cookie until the node, which may have to replace its key first, accepts the connection."""
    address = replace(shop.address(), cookie=cookie)
    async with asyncio.timeout(60):
        while True:
            with suppress(Refused):
                async with Client.connect(address, user="eve", client_name="t") as client:
                    await client.request(methods.PING)
                    return


def with_the_key_of(cookie: Cookie, server: str) -> Cookie:
    """The cookie as its holder changes it after the node's key was replaced."""
    return replace(cookie, server=parse_key(server))


async def test_the_nodes_own_key_is_replaced_while_it_runs(
    shop: Node, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    former = read_cookie(cookie_path(shop.root, "operator"))
    people.keys.make("ana", "operator")
    await people.until_accepted(people.cookies[0])
    following = people.keys.rotate_node_key(HOUR)
    async with people.client(former) as client:
        await eventually(lambda: "The node's own key is replaced at" in caplog.text, what="the announcement")
        texts = [event.text for event in (await client.request(methods.EVENTS)).events]
        assert any(f"replace the text after the last colon by {following.public}" in text for text in texts)
    assert read_cookie(cookie_path(shop.root, "operator")) == former
    at_once = people.keys.rotate_node_key(0)
    assert at_once.public != following.public
    renewed = read_cookie(cookie_path(shop.root, "operator"))
    assert renewed == with_the_key_of(former, at_once.public)
    await until_reached(shop, renewed)
    await until_reached(shop, with_the_key_of(people.cookies[0], at_once.public))
    with pytest.raises(Refused):
        await until_answered(shop, former)
    assert ("node_key", "in effect") in [(line["method"], line["outcome"]) for line in audit_lines(shop)]


async def until_answered(shop: Node, cookie: Cookie) -> None:
    async with Client.connect(replace(shop.address(), cookie=cookie), user="eve", client_name="t"):
        pass


async def test_a_planned_key_replaces_the_nodes_key_at_its_time(shop: Node, people: People) -> None:
    former = read_cookie(cookie_path(shop.root, "operator"))
    following = people.keys.rotate_node_key(1.5)
    await until_reached(shop, with_the_key_of(former, following.public))
    assert read_next_key(shop.root) is None


async def test_a_running_node_that_loses_its_keys_accepts_nobody(shop: Node, people: People) -> None:
    operator = read_cookie(cookie_path(shop.root, "operator"))
    people.keys.make("ana", "operator")
    await people.until_accepted(people.cookies[0])
    async with people.client(operator) as client:
        (shop.root / "etc").rename(shop.root / "lost")
        await until_refused(client)
    for cookie in (operator, people.cookies[0]):
        assert not await people.is_accepted(cookie)
    (shop.root / "lost").rename(shop.root / "etc")
    await people.until_accepted(operator)
