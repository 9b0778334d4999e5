"""The real dashboard, driven key by key, against a real node process over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from hotdash.app import DashboardOptions, HotdashApp
from hotdash.screens.confirm import ConfirmDialog
from hotdash.screens.operation import OperationScreen
from hotdash.screens.plan import PlanScreen
from node_runtime.protocol.run_directory import NodeAddress, locate
from tests.support.nodes.fil_node import FilNode
from tests.support.waiting import eventually


@contextmanager
def address_of(node: FilNode) -> Iterator[NodeAddress]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(node.run_directory))
        yield locate(node.name)


def screen_text(app: HotdashApp) -> str:
    """The text on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def until_shown(pilot: Pilot[None], *words: str, within: float = 20.0) -> None:
    """Wait until all words are on the screen."""
    app = pilot.app
    assert isinstance(app, HotdashApp)

    def shown() -> bool:
        text = screen_text(app)
        return all(word in text for word in words)

    try:
        await eventually(shown, within=within, what=f"{words} on the screen")
    except pytest.fail.Exception:
        pytest.fail(f"{words} is not on the screen:\n{screen_text(app)}")


async def until_screen(pilot: Pilot[None], kind: type) -> None:
    await eventually(lambda: isinstance(pilot.app.screen, kind), what=f"the {kind.__name__}")
    await pilot.pause()


async def go_to(pilot: Pilot[None], key: str, vsn: str) -> None:
    """Request an install of the selected release with `key`, confirm it, and wait for the operation's view."""
    await pilot.press(key)
    await until_screen(pilot, ConfirmDialog)
    button = pilot.app.screen.query_one("#do", Button)
    assert button.disabled, "nothing may be done before the version is typed"
    pilot.app.screen.query_one("#typed", Input).value = vsn
    await eventually(lambda: not button.disabled, what="the button")
    button.press()
    await until_screen(pilot, OperationScreen)


async def select_release(pilot: Pilot[None], vsn: str) -> None:
    """Put the cursor of the releases view on `vsn`, by keys."""
    app = pilot.app
    assert isinstance(app, HotdashApp)
    await pilot.press("5")
    await until_shown(pilot, vsn)
    await pilot.press("home")
    for _ in range(10):
        await pilot.pause()
        if app.selected().vsn == vsn:
            return
        await pilot.press("down")
    pytest.fail(f"{vsn} can't be selected:\n{screen_text(app)}")


async def arm(pilot: Pilot[None]) -> None:
    await pilot.press("exclamation_mark")
    await until_screen(pilot, ConfirmDialog)
    pilot.app.screen.query_one("#do", Button).press()
    await until_shown(pilot, "ARMED")


async def stage(pilot: Pilot[None], tarball: Path) -> None:
    await pilot.press("S")
    await eventually(lambda: pilot.app.screen.query("#do"), what="the dialog")
    pilot.app.screen.query_one(Input).value = str(tarball)
    await pilot.pause()
    await pilot.press("enter")
    await eventually(lambda: not pilot.app.screen.is_modal, what="the end of the upload")


def quiet(node: FilNode, color: str) -> Callable[[], bool]:
    return lambda: node.color() == color


@pytest.mark.slow  # tests/hotdash/screens has each step on a scripted node; test_terminal.py opens a real one
async def test_stage_plan_upgrade_results_and_downgrade(fil_node: FilNode, fil_tarballs: dict[str, Path]) -> None:
    with address_of(fil_node) as address:
        app = HotdashApp(address, DashboardOptions(keymap={}))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until_shown(pilot, "fil@127.0.0.1", "1986.a", "fil_color_fsm", "fil_sup", "READ-ONLY")

            await select_release(pilot, "1986.a")
            await pilot.press("U")
            await until_shown(pilot, "The dashboard is read-only")
            await arm(pilot)

            await stage(pilot, fil_tarballs["1986.b"])
            await until_shown(pilot, "1986.b", "unpacked")
            await select_release(pilot, "1986.b")
            await pilot.press("p")
            await until_screen(pilot, PlanScreen)
            await until_shown(pilot, "fil.color_fsm", "fil.root_dtl", "point of no return", "fil_color_fsm")
            assert fil_node.page().count("Hello #1") == 1, "a plan touches nothing"

            await go_to_with_wait(pilot, "U", "1986.b", fil_node)
            await until_shown(pilot, "1986.b running, on probation", "fil_color_fsm", "ok")
            assert "Hello #2" in fil_node.page()

            await pilot.press("escape", "4")
            await until_shown(pilot, "fil.color_fsm", "fil 1986.b", "drained")
            await stage(pilot, fil_tarballs["1986.c"])
            await until_shown(pilot, "1986.c", "unpacked")
            await select_release(pilot, "1986.c")
            await go_to(pilot, "U", "1986.c")
            await until_shown(pilot, "1986.c running, on probation")
            await until_shown(pilot, "steps")
            assert "Hello #3" in fil_node.page()

            await pilot.press("escape")
            await select_release(pilot, "1986.b")
            await go_to_with_wait(pilot, "D", "1986.b", fil_node)
            await until_shown(pilot, "1986.b running, on probation")
            assert "Hello #2" in fil_node.page()

            await pilot.press("escape")
            await select_release(pilot, "1986.a")
            await go_to_with_wait(pilot, "D", "1986.a", fil_node)
            await until_shown(pilot, "1986.a")
            await eventually(lambda: "Hello #1" in fil_node.page(), what="the first page")
            await pilot.press("escape", "6")
            await until_shown(pilot, "1986.c", "1986.b", "1986.a")


async def go_to_with_wait(pilot: Pilot[None], key: str, vsn: str, node: FilNode) -> None:
    """As `go_to`, started while the machine is in a state that every version has, so that the plan has no blocker."""
    await eventually(quiet(node, "olive"), what="olive")
    await go_to(pilot, key, vsn)


@pytest.mark.slow  # tests/hotdash/views has small screens, on a scripted node
async def test_a_small_screen_shows_the_tree_and_the_live_state(fil_node: FilNode) -> None:
    with address_of(fil_node) as address:
        app = HotdashApp(address, DashboardOptions(keymap={}))
        async with app.run_test(size=(80, 24)) as pilot:
            await until_shown(pilot, "fil@127.0.0.1", "1986.a", "fil_sup", "fil_color_fsm")
            text = screen_text(app)
            assert len(text.splitlines()) == 24
            assert all(len(line) <= 80 for line in text.splitlines())
            for _ in range(12):
                selected = app.selected().process
                view = app.node.process(selected) if selected is not None else None
                if view is not None and view.name == "fil_color_fsm":
                    break
                await pilot.press("down")
            shown: set[str] = set()

            def cycled() -> bool:
                shown.update(color for color in ("olive", "green", "lime") if color in screen_text(app))
                return shown == {"olive", "green", "lime"}

            await eventually(cycled, what="all three colours in the live state")

            await pilot.press("enter")
            await until_shown(pilot, "pending timeout", "send_after", "mailbox", "fil_sup", "since")
            await arm(pilot)
            await pilot.press("F")
            await until_screen(pilot, ConfirmDialog)
            pilot.app.screen.query_one("#do", Button).press()
            await until_shown(pilot, "trace", " state ", " => ")
