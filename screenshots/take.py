"""Takes the pictures in this folder: the real dashboard on a real fil, driven by keys. `make screenshots`.

Nothing is drawn by hand. The text of the documentation decides the moments: the plan is taken while the machine is in
the colour that the next release does not define.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Button, Input

from hotdash.app import DashboardOptions, HotdashApp
from hotdash.demo.demo_node import DemoFolder
from hotdash.demo.walkthrough import wait_for_colour
from node_runtime.protocol.run_directory import locate

HERE = Path(__file__).parent
WIDE, SMALL = (120, 36), (80, 24)
PATIENCE = 30.0


def shown(app: HotdashApp) -> str:
    """The text on the screen."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], condition: Callable[[], object], what: str) -> None:
    """Run the dashboard until the condition holds."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await pilot.pause(0.05)
    except TimeoutError:
        raise SystemExit(f"{what} did not come within {PATIENCE:.0f} s:\n{shown(_app(pilot))}") from None
    await pilot.pause(0.3)


def _app(pilot: Pilot[None]) -> HotdashApp:
    assert isinstance(pilot.app, HotdashApp)
    return pilot.app


async def press(pilot: Pilot[None], keys: str, *words: str) -> None:
    """Press keys, one after the other, and wait for words."""
    await pilot.press(*keys.split())
    await until(pilot, lambda: all(word in shown(_app(pilot)) for word in words), f"{words} after {keys}")


async def select(pilot: Pilot[None], wanted: Callable[[], bool], what: str) -> None:
    """Move down the table until the cursor is on the wanted row."""
    await pilot.press("home")
    for _ in range(20):
        await pilot.pause(0.1)
        if wanted():
            await pilot.pause(0.5)
            return
        await pilot.press("down")
    raise SystemExit(f"{what} can't be selected:\n{shown(_app(pilot))}")


def take(pilot: Pilot[None], name: str) -> None:
    """Write the picture."""
    app = _app(pilot)
    (HERE / f"{name}.svg").write_text(app.export_screenshot(title=f"hotdash connect {app.address.name}"))
    print(f"screenshots/{name}.svg")


async def select_release(pilot: Pilot[None], vsn: str) -> None:
    """Select a release in its view."""
    await press(pilot, "5", vsn)
    await select(pilot, lambda: _app(pilot).selected().vsn == vsn, vsn)


async def select_machine(pilot: Pilot[None]) -> None:
    """Select the state machine in the tree."""
    app = _app(pilot)

    def on_machine() -> bool:
        key = app.selected().process
        process = app.node.process(key) if key is not None else None
        return process is not None and process.kind == "gen_statem"

    await select(pilot, on_machine, "the state machine")


async def confirm(pilot: Pilot[None], vsn: str) -> None:
    """Fill in the open dialog and press its button."""
    pilot.app.screen.query_one("#typed", Input).value = vsn
    button = pilot.app.screen.query_one("#do", Button)
    await until(pilot, lambda: not button.disabled, "the button")
    button.press()


async def small(demo: DemoFolder) -> None:
    """The smallest terminal that is looked after."""
    app = HotdashApp(locate(demo.node), DashboardOptions(page=demo.url, keymap={}))
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "1", "fil_color_fsm")
        await select_machine(pilot)
        await pilot.pause(2.0)
        take(pilot, "overview-80x24")


async def first_look(demo: DemoFolder) -> None:
    """As it opens: read-only."""
    app = HotdashApp(locate(demo.node), DashboardOptions(page=demo.url, keymap={}))
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "1", "fil_color_fsm")
        await select_machine(pilot)
        await pilot.pause(12.0)  # give the sparklines some data
        take(pilot, "overview")


async def tour(demo: DemoFolder) -> None:
    """From the first plan to the results of the second upgrade."""
    second, third = (project.vsn for project in demo.projects[1:3])
    app = HotdashApp(locate(demo.node), DashboardOptions(page=demo.url, keymap={}, read_only=False))
    async with app.run_test(size=WIDE) as pilot:
        await select_release(pilot, second)
        await asyncio.to_thread(wait_for_colour, demo, "lime")
        await press(pilot, "p", "point of no return", "which")
        take(pilot, "plan")
        await pilot.press("escape")
        await asyncio.to_thread(wait_for_colour, demo, "olive")
        await press(pilot, "U", f"Type {second}")
        take(pilot, "confirm")
        await confirm(pilot, second)
        await until(pilot, lambda: f"{second} running" in shown(app), second)
        await press(pilot, "escape 4", "fil.color_fsm", "drain")
        await select(pilot, lambda: "No old version" not in shown(app), "a module with an old version")
        take(pilot, "modules")
        await select_release(pilot, second)
        take(pilot, "releases")
        await select_release(pilot, third)
        await asyncio.to_thread(wait_for_colour, demo, "red")
        await press(pilot, "p", "point of no return", "code_change")
        take(pilot, "rehearsal")
        await press(pilot, "escape", "upgrades to it")
        await press(pilot, "U", f"Type {third}")
        await confirm(pilot, third)
        await until(pilot, lambda: f"{third} running" in shown(app) and "steps" in shown(app), third)
        take(pilot, "results")
        await press(pilot, "escape 7", "is now current")
        take(pilot, "events")
        await press(pilot, "question_mark", "Overview")
        take(pilot, "help")


def main() -> None:
    with DemoFolder(None, 0) as demo:
        os.environ["NODE_RUNTIME_RUN_DIR"] = str(demo.run_directory)
        for project in demo.projects:
            demo.run_checked("node-runtime", "build", project.folder, "--output", ".")
        demo.run_checked("node-runtime", "install", demo.projects[0].tarball, demo.node_folder)
        demo.write_overrides()
        demo.run_checked(demo.script, "start")
        for project in demo.projects[1:]:
            demo.run_checked("hotdash", "stage", demo.node, project.tarball)
        asyncio.run(small(demo))
        asyncio.run(first_look(demo))
        asyncio.run(tour(demo))


if __name__ == "__main__":
    main()
