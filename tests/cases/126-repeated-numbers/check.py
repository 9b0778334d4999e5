"""A module numbers orders by a default factory, draws with a seeded generator, and is made anew (ours)."""


def check(node):
    before = node.value()
    assert before == ("a", [1, 2, 3], [654, 114, 25])
    plan = node.plan("b")
    node.go("b")
    _, numbers, drawn = node.value()
    for what, again in {"Order.number": numbers[-1] == 1, "dice": drawn == before[2]}.items():
        assert not again or node.says(plan, what), f"after the upgrade {what} begins anew, and the plan doesn't say so"
    assert node.rollback().rc in (0, 6)
    assert node.value()[1][-1] == 4
