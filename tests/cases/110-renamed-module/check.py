"""A module whose classes a state holds is renamed, and becomes a package (ours)."""


def check(node):
    assert node.value() == ("a", "k.tags", True)
    plan = node.plan("b")
    assert not plan["blockers"], f"b is refused: {plan['blockers'][0]['reason']}"
    node.go("b")
    assert node.value() == ("b", "k.labels", True), f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ("a", "k.tags", True), f"after the rollback the page shows {node.probe().strip()}"
