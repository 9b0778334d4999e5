"""A state has a lock, an open file, a socket, a dead weak proxy, a queue, a context and a memory view (ours)."""


def check(node):
    first = node.value()
    done = node.hotdash("state", node.name, "box", "-o", "json")
    assert done.rc == 0, f"hotdash state fails: {done.last}"
    assert done.json, "hotdash state prints no JSON"
    plan = node.plan("b")
    assert not plan["blockers"], (
        f"b's code_change hands the state on, and b is refused: {plan['blockers'][0]['reason']}"
    )
    node.go("b")
    assert node.value() == first, f"b is current, and of the live resources is left {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == first, f"after the rollback, of the live resources is left {node.probe().strip()}"
