"""A release no longer requires a library, and the module that used it is gone (ours)."""


def check(node):
    assert node.value() == ("a", "3rd")
    why = node.ends("b", process="box")
    assert why is None, f"nothing that the plan names leads to b: {why}"
    assert node.value() == ("b", "3."), f"b is current, and the page shows {node.probe().strip()}"
    node.commit() if node.releases()["b"]["status"] != "permanent" else None
    node.remove("a")
    assert node.value() == ("b", "3."), f"a is removed, and the page shows {node.probe().strip()}"
