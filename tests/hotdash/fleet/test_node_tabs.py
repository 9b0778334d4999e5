"""Several nodes in one dashboard: a tab for each, of which one is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hotdash.dashboard_options import DashboardOptions
from hotdash.fleet.tabs_app import TabsApp
from hotdash.model.node_tabs import NodeTab, tab_parts
from hotdash.model.styled_text import text_of
from tests.support.dashboard.dashboard_pilot import DashboardUser, Open
from tests.support.dashboard.fil_world import NODE, fil_world
from tests.support.dashboard.scripted_peer import Peer

OTHER = "bank@127.0.0.1"


@pytest.fixture
async def other(run_directory: Path, tmp_path: Path) -> AsyncIterator[Peer]:
    node = Peer(tmp_path / "other", replace(fil_world(), name=OTHER))
    yield node
    node.stop()


@asynccontextmanager
async def tabs(*peers: Peer, memory: Path | None = None) -> AsyncIterator[DashboardUser]:
    nodes = [(peer.start(), None) for peer in peers]
    app = TabsApp(nodes, DashboardOptions(reconnect_delays=(0.05,), memory=memory))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        user = DashboardUser(app, pilot)
        await user.sees("● live", "fil_color_fsm")
        yield user


async def test_each_node_has_a_tab_and_the_keys_go_round(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.sees(f" {NODE} ", f"{OTHER}  1986.a", "< > node")
        await user.press("greater_than_sign")
        await user.sees(f" {NODE}  1986.a", f"{OTHER}  fil 1986.a", "● live")
        await user.press("greater_than_sign")
        await user.sees(f"{NODE}  fil 1986.a", "● live")
        await user.press("less_than_sign")
        await user.sees(f"{OTHER}  fil 1986.a", "● live")


async def test_only_the_open_node_is_watched_and_gets_the_keys(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.press("greater_than_sign")
        await user.sees(f"{OTHER}  fil 1986.a", "● live")
        peer.emit("log", "warning: of the node that is not open")
        other.emit("log", "warning: of the open node")
        await user.press("8")
        await user.sees("of the open node")
        assert "not open" not in user.frame()
        await user.press("less_than_sign")
        await user.sees(f"{NODE}  fil 1986.a", "● live")
        await user.press("8")
        await user.sees("of the node that is not open")


async def test_a_tab_comes_back_as_it_was_left(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.press("5", "down")
        await user.sees("1986.b")
        selected = user.app.selected().vsn
        assert selected is not None
        await user.press("greater_than_sign")
        await user.sees(f"{OTHER}  fil 1986.a", "● live", "fil_color_fsm")
        await user.press("less_than_sign")
        await user.sees(f"{NODE}  fil 1986.a", "● live")
        assert user.app.dashboard.view == "releases"
        assert user.app.selected().vsn == selected


async def test_arming_is_for_one_node(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.press("exclamation_mark")
        await user.sees(f"Arm {NODE}")
        await user.press("tab", "enter")
        await user.sees("ARMED")
        await user.press("greater_than_sign")
        await user.sees(f"{OTHER}  fil 1986.a", "READ-ONLY")
        await user.press("less_than_sign")
        await user.sees(f"{NODE}  fil 1986.a", "ARMED")


async def test_a_dialog_keeps_its_node(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.press("exclamation_mark")
        await user.sees(f"Arm {NODE}")
        await user.press("greater_than_sign")
        await user.app.run_action("open_tab(1)")
        await user.press("escape")
        await user.sees(f"{NODE}  fil 1986.a", "READ-ONLY")


async def test_a_node_that_is_down_says_so_in_its_tab(peer: Peer, other: Peer) -> None:
    async with tabs(peer, other) as user:
        await user.sees(f"{OTHER}  1986.a")
        other.stop()
        await user.sees(f"{OTHER}  can't be reached")
        await user.press("greater_than_sign", "less_than_sign")
        await user.sees(f"{NODE}  fil 1986.a", "● live")


async def test_a_dashboard_on_one_node_has_no_tabs_and_says_how_to_get_them(opened: Open) -> None:
    async with opened() as user:
        assert "< > node" not in user.frame()
        await user.press("greater_than_sign")
        await user.is_notified(f"Only {NODE} is open; `hotdash connect {NODE} OTHER` opens several nodes.")


def test_many_tabs_keep_their_names_as_long_as_these_fit() -> None:
    nodes = tuple(NodeTab(f"shop-{number}@10.0.0.{number}", "1.2.0", "ok") for number in range(1, 5))
    assert text_of(tab_parts(nodes, 120)[0]) == "shop-1@10.0.0.1  1.2.0"
    assert text_of(tab_parts(nodes, 80)[0]) == "shop-1@10.0.0.1"
    assert [text_of(part) for part in tab_parts(nodes, 40)] == [f"shop-{number}" for number in range(1, 5)]
