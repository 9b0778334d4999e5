"""A state keeps functions that a module which stays has made around objects of a class that is made anew (ours)."""


def check(node):
    assert node.value() == (True, "a", ["a", "a"])
    plan = node.plan("b")
    assert not plan["blockers"], f"b is refused: {plan['blockers'][0]['reason']}"
    node.go("b")
    assert node.value() == (True, "b", ["b", "b"]), f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == (True, "a", ["a", "a"]), f"after the rollback the page shows {node.probe().strip()}"
