"""A module that stays remembers in a dict what a function has returned that changes (ours)."""


def check(node):
    assert node.value() == 20
    plan = node.plan("b")
    node.go("b")
    found = node.value()
    assert found == 30 or node.says(plan, "k.memo", "known"), f"b says {found}, not 30, and its plan names no dict"
