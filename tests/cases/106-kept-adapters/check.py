"""A module keeps type adapters and checked functions of a model that another module replaces (ours)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == (["n", "a"], ["n", "a"])
    plan = node.plan("b")
    told = node.says(plan, r"k\.paint", "ITEMS", "let the appup load k.paint too")
    node.go("b")
    found = node.value()
    assert told or found == (["n", "b"],) * 2, f"the plan of b does not name k.paint.ITEMS, and the page shows {found}"
    noise = [one for one in plan["warnings"] if "pydantic._internal" in one]
    assert not noise, f"the plan of b warns of a class that keeps no classes: {noise[0]}"
    node.commit()
    why = node.ends("c", module="k.models")
    assert why is None, f"c can't be reached: {why}"
    assert node.value() == (["n", "c"], ["n", "c"]), f"c loads k.paint as the plan of b advises: {node.value()}"
