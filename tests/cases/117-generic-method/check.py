"""A module that stays as it is has registered an implementation with a `singledispatchmethod` of one that changes."""


def check(node):
    assert node.value()[:2] == ("number a", "text")
    plan = node.plan("b")
    told = node.says(plan, r"k\.shows\.Show\.on", r"k\.texts")
    why = node.ends("b", module="k.shows")
    assert why is None, f"b can't be reached: {why}"
    found = node.value()
    assert found[0] == "number b", f"b loads k.shows, and the page shows {found}"
    assert told or found[1] == "text", f"the plan of b does not name k.texts, and then the page shows {found}"
