"""A release adds a name to `__all__` of a module whose names another one imports by a star (ours)."""


def check(node):
    assert node.value() == ["greet a"]
    plan = node.plan("b")
    stars = [warning for warning in plan["warnings"] if "*" in warning or "star" in warning]
    assert not stars, f"no name has gone, and the plan of b warns of one: {stars[0]}"
    node.go("b")
    assert node.value() == ["greet b", "part b"], f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ["greet a"], f"after the rollback the page shows {node.probe().strip()}"
