"""Two people with a key each, who see and approve and abort each other's work in their dashboards on a real node."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hotdash.app import DashboardOptions, HotdashApp
from node_runtime.protocol.run_directory import locate
from tests.support.dashboard.dashboard_pilot import DashboardUser
from tests.support.nodes.fil_node import EXAMPLES, FilNode, build, install, running
from tests.support.waiting import eventually


@pytest.fixture
def node(fil_tarballs: dict[str, Path], tmp_path: Path) -> Iterator[FilNode]:
    """fil 1986.a, for ten minutes in a state that 1986.b lacks. Ana has staged 1986.b, and an install needs two people.

    The cookies of the two people are in the node's folder.
    """
    without_olive = tmp_path / "1986.b"
    shutil.copytree(EXAMPLES / "1986.b", without_olive)
    machine = without_olive / "apps/fil/src/fil/color_fsm.py"
    machine.write_text(machine.read_text().replace("olive", "teal"))
    with running(install(fil_tarballs["1986.a"], tmp_path, cycle_time=600)) as started:
        (started.directory / "etc/node.toml").write_text("approvals = 2\n")
        for person in ("ana", "bob"):
            cookie = started.directory / f"{person}.cookie"
            started.fil("cookie", "--for", person, "--role", "operator", "--out", cookie)
        tarball = build(without_olive, tmp_path)
        started.hotdash("stage", started.name, tarball, "--cookie-file", started.directory / "ana.cookie")
        yield started


@asynccontextmanager
async def dashboard(node: FilNode, person: str) -> AsyncIterator[DashboardUser]:
    """The armed dashboard of one person."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(node.run_directory))
        address = locate(node.name, node.directory / f"{person}.cookie")
        app = HotdashApp(address, DashboardOptions(keymap={}, read_only=False))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            user = DashboardUser(app, pilot)
            await user.sees("● live", "fil_color_fsm")
            await user.press("5", "end")
            await eventually(lambda: app.selected().vsn == "1986.b", what="the selected release")
            yield user


@pytest.mark.slow  # tests/hotdash/screens has each step on a scripted node
async def test_one_person_approves_and_aborts_the_upgrade_of_the_other(node: FilNode) -> None:
    async with dashboard(node, "ana") as ana, dashboard(node, "bob") as bob:
        await ana.press("U")
        await ana.sees("Not possible now: 1 approval missing.", "a person with a key other than ana")
        await ana.press("escape", "Y")
        await ana.sees("Approve 1986.b")
        await ana.press("tab", "enter")
        await ana.is_notified("ana has staged release 1986.b, so a person with another key")

        await bob.press("Y")
        await bob.sees("Approve 1986.b", "staged")
        await bob.type("read it")
        await bob.press("enter", "enter")
        await bob.is_notified("is approved by bob: no more approvals needed.")

        await ana.press("U")
        await ana.sees("Upgrade from 1986.a to 1986.b", "Type 1986.b to proceed")
        await ana.press("shift+tab", "shift+tab")
        await ana.type("600")
        await ana.press("tab")
        await ana.type("red at last")
        await ana.press("tab")
        await ana.type("1986.b")
        await ana.press("enter", "enter")
        await ana.sees("Upgrade 1986.a → 1986.b", "waits for:", "olive", "reason: red at last")

        await bob.is_notified("ana")
        await bob.press("U")
        await bob.is_notified("wait until the operation has ended, or abort it")
        await bob.press("6")
        await bob.sees("ana (", "waits for:", "reason: red at last", "A aborts it")
        await bob.press("A")
        await bob.sees("Abort: upgrade 1986.a → 1986.b", "Started by ana")
        await bob.type("not now")
        await bob.press("enter", "enter")
        for user in (ana, bob):
            await user.sees("aborted: nothing was changed", "bob", "aborted it: not now", "1986.a keeps running.")
    assert "Hello #1" in node.page()
