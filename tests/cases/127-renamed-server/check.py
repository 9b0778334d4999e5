"""The new `start_link` of a server registers another name, by which the new page calls it (ours)."""


def check(node):
    assert node.value() == ("a", 1)
    plan = node.plan("b")
    if not (plan["blockers"] or node.says(plan, "another name", "crate", process="box")):
        node.go("b")
        found = node.probe()
        assert found.status == 200, f"the new code finds no server, and the plan names nothing: {found.last}"
