"""Data files are listed and read through importlib.resources, pkgutil and `__path__`; one is new (ours)."""


def check(node):
    assert node.value() == {"resources": "words of a", "path": "words of a", "pkgutil": "words of a", "listed": 1}
    plan = node.plan("b")
    said = node.says(plan, r"\S*words(/\S*)?|list\.txt")
    why = node.ends("b", process="box")
    assert why is None, f"b can't be reached: {why}"
    found = node.value()
    right = {"resources": "words of b", "path": "words of b", "pkgutil": "words of b", "listed": 2}
    assert said or found == right, f"b is current, its plan warned of nothing, and the data is {found}"
    node.commit()
    node.remove("a")
    assert node.value() == found, f"a is removed, and then the data is {node.probe().strip()}"
