"""A release adds a column to the table of a service that keeps its jobs in a database (docs/database.md)."""

import sqlite3


def columns(node):
    return [column[1] for column in sqlite3.connect(node.data / "jobs.db").execute("pragma table_info(jobs)")]


def check(node):
    assert node.value() == ("a", 1, None)
    plan = node.plan("b")
    assert not plan["blockers"], f"b is refused: {plan['blockers'][0]['reason']}"
    assert columns(node) == ["name", "runs"], "the plan, which should touch nothing, has changed the table"
    node.go("b")
    page = node.probe().strip()
    assert page == "('b', 2, 'nobody')", f"b is current, and the page shows {page}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    page = node.probe().strip()
    assert page == "('a', 3, None)", f"after the rollback the page shows {page}"
    node.go("b")
    assert node.value() == ("b", 4, "nobody"), f"b is current again, and the page shows {node.probe().strip()}"
