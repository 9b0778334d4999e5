"""The list of nodes: what each says about itself, and the difference between two."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hotdash.config.settings import RemoteNode, Settings
from hotdash.fleet.known_nodes import KnownNode, NodeReport
from hotdash.fleet.node_picker import NodePicker, node_cells
from hotdash.model.module_difference import ModuleDifference, module_differences
from hotdash.model.releases.worker_lines import worker_line, worker_troubles
from hotdash.model.styled_text import Line
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import NODE, fil_world
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

LONG = 60.0


def text_of(cell: Line) -> str:
    return "".join(part.text for part in cell)


def frame(app: NodePicker) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def test_the_list_shows_each_node_and_enter_chooses_one(peer: Peer, tmp_path: Path) -> None:
    peer.start()
    remote = RemoteNode(cookie_file=str(tmp_path / "missing"))
    app = NodePicker(Settings(nodes={"web@host:9100": remote}))
    async with app.run_test(size=(120, 20)) as pilot:
        await eventually(
            lambda: "fil 1986.a" in frame(app) and "can't be reached" in frame(app), within=LONG, pause=0.05
        )
        assert "permanent" in frame(app)
        await pilot.press("down")
        await eventually(lambda: "missing" in frame(app), within=LONG, pause=0.05)
        await pilot.press("up", "enter")
    assert app.return_value == (KnownNode(NODE),)


async def test_space_marks_nodes_and_enter_opens_all_marked_ones(peer: Peer, tmp_path: Path) -> None:
    peer.start()
    app = NodePicker(Settings(nodes={"web@host:9100": RemoteNode(cookie_file=str(tmp_path / "missing"))}))
    async with app.run_test(size=(120, 20)) as pilot:
        await eventually(lambda: "space mark several" in frame(app), within=LONG, pause=0.05)
        await pilot.press("space", "space")
        await eventually(lambda: "enter open the 2 marked" in frame(app), within=LONG, pause=0.05)
        assert f"● {NODE}" in frame(app)
        await pilot.press("enter")
    assert app.return_value == (KnownNode(NODE), KnownNode("web@host:9100", tmp_path / "missing"))


async def test_without_a_node_the_list_says_how_to_start_one(run_directory: Path) -> None:
    app = NodePicker(Settings())
    async with app.run_test(size=(100, 20)) as pilot:
        await eventually(lambda: "No node runs here" in frame(app), within=LONG, pause=0.05)
        await pilot.press("escape")
    assert app.return_value is None


def test_a_node_with_workers_says_how_many_run_and_a_worker_which_one_it_is() -> None:
    first = m.WorkerInfo(number=1, name=NODE, vsn="2", os_pid=10)
    second = m.WorkerInfo(number=2, name="fil.2@127.0.0.1", vsn="1", os_pid=11)
    down = m.WorkerInfo(number=3, name="fil.3@127.0.0.1", vsn="", os_pid=None, down="The node failed.")
    summary = msgspec.structs.replace(fil_world().summary(1), workers=(first, second, down))
    cells = node_cells(NodeReport(KnownNode(NODE), summary), summary.vitals.at)
    assert text_of(cells[1]) == "2 of 3, mixed"
    assert list(worker_troubles(summary.workers)) == [
        "worker 2 runs release 1, and worker 1 release 2",
        "worker 3 is down: The node failed.",
    ]
    assert text_of(worker_line(down, first)) == "3  down  The node failed."
    alone = msgspec.structs.replace(summary, workers=())
    cells = node_cells(NodeReport(KnownNode(second.name, worker=2), alone), summary.vitals.at)
    assert text_of(cells[1]) == "worker 2"


def test_modules_differ_by_their_code_and_not_by_the_name_of_their_version() -> None:
    first = fil_world().modules
    name = first[0].name
    changed = msgspec.structs.replace(first[0], sha256="f" * 64)
    renamed = msgspec.structs.replace(first[1], app_vsn="other")
    found = module_differences(first, [changed, renamed, *first[2:-1]])
    assert ModuleDifference(name, f"{first[0].app_vsn} {first[0].sha256[:7]}", f"{first[0].app_vsn} fffffff") in found
    assert ModuleDifference(first[-1].name, f"{first[-1].app_vsn} {first[-1].sha256[:7]}", "") in found
    assert len(found) == 2
