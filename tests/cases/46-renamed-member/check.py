"""A release renames the member of an enumeration that a process holds: it can't be found by name (ours)."""


def check(node):
    assert node.value() == "OPEN"
    plan = node.plan("b")
    assert plan["blockers"], "b has no member OPEN, which box holds, and its plan has no blocker"
    assert node.says(plan, "OPEN", process="box"), "b is refused, and no blocker names box and OPEN"
    assert node.upgrade("b").rc == 1, "b's plan has a blocker, and the upgrade is not refused"
    assert node.value() == "OPEN", "a refused upgrade has touched box"
