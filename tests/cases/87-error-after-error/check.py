"""A release whose helper can't be imported is refused with the file, and the corrected one goes.

Reported as werkzeug issue 569.
"""

VERSIONS = "abc"


def check(node):
    first = node.value()[1]
    pid = node.pid("box")
    for _ in range(2):
        plan = node.plan("b")
        assert plan["blockers"], "the helper of b can't be imported, and its plan has no blocker"
        assert node.says(plan, r"\S*helper\.py|k\.helper"), "b is refused, and no blocker names k.helper"
    assert node.upgrade("b").rc == 1, "b's plan has a blocker, and the upgrade is not refused"
    assert node.value() == ("a", first + 1), "a refused upgrade has touched box"
    node.go("c")
    assert node.value() == ("c", first + 2), f"c is current, and the page shows {node.probe().strip()}"
    assert node.pid("box") == pid, "an upgrade has started box anew"
