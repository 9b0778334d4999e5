"""A dataclass gains a field without a default, deep in an object's attributes, a partial and a closure (ours)."""


def check(node):
    first = node.value()
    plan = node.plan("b")
    assert node.says(plan, "Seat", "row", process="box"), (
        "b's plan doesn't say that box holds instances of Seat, which have no value for the new field row"
    )
    assert node.upgrade("b").rc != 0 or node.value() == first, "an upgrade whose plan warns has lost the seats"
