"""A state keeps lambdas and functions that functions have made, and their code changes (flutter issue 59899)."""


def check(node):
    assert node.value() == ("a", [1, 4, 9], 0, 1)
    plan = node.plan("b")
    assert not plan["blockers"], f"b is refused: {plan['blockers'][0]['reason']}"
    node.go("b")
    assert node.value() == ("b", [10, 40, 90], 0, 2), f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ("a", [1, 4, 9], 0, 3), f"after the rollback the page shows {node.probe().strip()}"
