"""The lines of the tree that the node sends, as rows."""

from __future__ import annotations

from hotdash.model.process_tree import TreeRow, title_of, tree_guides, tree_rows
from hotdash.model.selection import ChildKey, FoldKey, GroupKey, ProcessKey
from hotdash.model.windows import is_incomplete, next_query, tree_window
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import FSM, World, a_process, fil_world
from tests.support.dashboard.scripted_queries import tree_page


def rows(world: World) -> list[TreeRow]:
    asked = m.TreeQuery()
    return tree_rows(tree_window(asked, tree_page(world, asked), None), frozenset())


def test_the_tree_goes_from_applications_to_supervisors_to_children() -> None:
    assert [(row.guides, row.title) for row in rows(fil_world())] == [
        ("", "web"), ("└ ", "web_sup"), ("  └ ", "web_listener"),
        ("", "fil"), ("└ ", "fil_sup"), ("  └ ", "fil_color_fsm"),
    ]  # fmt: skip


def test_guides_join_siblings() -> None:
    assert [tree_guides(levels) for levels in ("|", "||", "| ", "|||", "| |", "|  ")] == [
        "", "├ ", "└ ", "│ ├ ", "  ├ ", "  └ ",
    ]  # fmt: skip
    assert tree_guides("| ", root=True) == "│   └── "


def test_rows_have_keys_of_what_they_show() -> None:
    world = fil_world()
    world.children = [m.ChildInfo(supervisor=10, child_id="tag2", kind="gen_server", status="restarting")]
    world.processes += [a_process(100 + number, None, "gen_server", 3) for number in range(60)]
    keys = {row.title: row.key for row in rows(world)}
    assert keys["fil"] == GroupKey("fil")
    assert keys["fil_color_fsm"] == ProcessKey("boot-1", FSM)
    assert keys["tag2"] == ChildKey("boot-1", 10, "tag2")
    assert keys["+11 more"] == FoldKey("web/web_sup")


def test_a_restarted_process_has_a_new_identity_and_keeps_its_path() -> None:
    world = fil_world()
    before = {row.title: row for row in rows(world)}["fil_color_fsm"]
    world.change(FSM, pid=31)
    after = {row.title: row for row in rows(world)}["fil_color_fsm"]
    assert before.key != after.key
    assert before.line.path == after.line.path


def test_a_page_of_changes_is_completed_by_the_rows_before() -> None:
    world = fil_world()
    asked = m.TreeQuery()
    first = tree_window(asked, tree_page(world, asked), None)
    again = next_query(asked, first, "boot-1")
    assert again.since == first.page.generation
    changed = m.TreePage(
        boot_id="boot-1", generation=2, total=4, matched=0, length=6, offset=0, lines=first.page.lines,
        rows=(first.rows[FSM],),
    )  # fmt: skip
    window = tree_window(again, changed, first)
    assert set(window.rows) == set(first.rows)
    assert not is_incomplete(window)
    assert is_incomplete(tree_window(again, changed, None))


def test_another_window_or_another_boot_is_read_completely() -> None:
    asked = m.TreeQuery()
    first = tree_window(asked, tree_page(fil_world(), asked), None)
    assert next_query(m.TreeQuery(offset=5), first, "boot-1").since == 0
    assert next_query(asked, first, "boot-2").since == 0
    assert next_query(m.TreeQuery(follow=FSM, lead=2), first, "boot-1").since == 1


def test_an_application_master_is_called_after_its_application() -> None:
    assert title_of(a_process(1, None, "application", None)) == "application master of fil"
