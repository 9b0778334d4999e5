"""The supervision tree as rows."""

from __future__ import annotations

from hotdash.model.process_tree import TreeNode, build_tree, filter_tree, flatten, walk
from hotdash.model.selection import ChildKey, FoldKey, ProcessKey
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import FSM, a_process, a_snapshot, fil_world


def titles(nodes: tuple[TreeNode, ...]) -> list[str]:
    return [node.title for node in walk(nodes)]


def test_the_tree_goes_from_applications_to_supervisors_to_children() -> None:
    rows = [(row.guides, row.node.title) for row in flatten(build_tree(a_snapshot()))]
    assert rows == [
        ("", "web"), ("└ ", "web_sup"), ("  └ ", "web_listener"),
        ("", "fil"), ("└ ", "fil_sup"), ("  └ ", "fil_color_fsm"),
    ]  # fmt: skip


def test_a_child_without_a_process_has_a_place_in_the_tree() -> None:
    child = m.ChildInfo(supervisor=10, child_id="tag2", kind="gen_server", status="restarting")
    nodes = list(walk(build_tree(a_snapshot(children=(child,)))))
    assert nodes[-1].title == "tag2"
    assert nodes[-1].key == ChildKey("boot-1", 10, "tag2")


def test_processes_outside_applications_are_in_the_tree() -> None:
    world = fil_world()
    world.processes.append(a_process(90, None, "process", 12345, module="loose", application=None))
    nodes = build_tree(world.snapshot(1))
    assert nodes[-1].title == "not supervised"
    assert [child.key for child in nodes[-1].children] == [ProcessKey("boot-1", 90)]


def test_every_process_is_in_the_tree_once_even_in_a_cycle_of_parents() -> None:
    world = fil_world()
    world.processes += [a_process(50, "a", "process", 51), a_process(51, "b", "process", 50)]
    keys = [node.key for node in walk(build_tree(world.snapshot(1))) if node.process is not None]
    assert len(keys) == len(set(keys)) == len(world.processes)


def test_a_restarted_process_has_a_new_identity_and_keeps_its_place() -> None:
    world = fil_world()
    before = {node.title: node for node in walk(build_tree(world.snapshot(1)))}["fil_color_fsm"]
    world.change(FSM, pid=31)
    after = {node.title: node for node in walk(build_tree(world.snapshot(2)))}["fil_color_fsm"]
    assert before.key != after.key
    assert before.path == after.path


def test_a_filter_keeps_ancestors_and_marks_hits() -> None:
    kept = filter_tree(build_tree(a_snapshot()), "OLIVE fsm")
    assert titles(kept) == ["fil", "fil_sup", "fil_color_fsm"]
    assert [node.title for node in walk(kept) if node.matched] == ["fil_color_fsm"]


def test_long_rows_of_siblings_are_folded_and_can_be_unfolded() -> None:
    world = fil_world()
    world.processes += [a_process(100 + number, f"room_{number}", "gen_server", 10) for number in range(979)]
    nodes = build_tree(world.snapshot(1))
    folded = flatten(nodes)
    assert folded[-1].node.title == "+930 more"
    assert folded[-1].node.key == FoldKey("fil/fil_sup")
    assert len(flatten(nodes, unfolded=frozenset({"fil/fil_sup"}))) == len(folded) - 1 + 930


def test_what_is_collapsed_hides_what_is_below() -> None:
    rows = flatten(build_tree(a_snapshot()), collapsed=frozenset({"web"}))
    assert [row.node.title for row in rows] == ["web", "fil", "fil_sup", "fil_color_fsm"]
