"""A module provides a class by `__getattr__`, and another one has imported it by name."""


def check(node):
    assert node.value() == "a"
    plan = node.plan("b")
    told = node.says(plan, r"k\.box", r"k\.lazy", "Shape")
    why = node.ends("b", module="k.lazy")
    assert why is None, f"b can't be reached: {why}"
    found = node.value()
    assert told or found == "b", f"the plan of b does not name k.box, and then the page shows {found}"
