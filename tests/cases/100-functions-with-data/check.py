"""A method's cache, an attribute of a function and a closure hold data, and the module is made anew (ours)."""


def check(node):
    assert node.value() == (1, 1, 1)
    plan = node.plan("b")
    silent = [name for name in ("Parser.parse", "handle.calls", "count") if not node.says(plan, rf"\S*{name}")]
    node.go("b")
    found = node.value()
    assert not silent or found == (1, 2, 2), f"the plan of b names no data of {silent}, and now the page shows {found}"
