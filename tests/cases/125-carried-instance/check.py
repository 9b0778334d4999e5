"""A release begins to carry an instance of a module, is rolled back, and is installed again (a newcomer's site)."""


def check(node):
    assert node.value() == ("a", 1)
    node.go("b")
    assert node.value() == ("b", 2), "b carries the instance, which has adopted the class of b"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    page = node.probe().strip()
    assert page == "('a', 3)", f"the node is rolled back to a, and the page shows {page}"
    node.go("b")
    assert node.value() == ("b", 4), f"b is current again, and the page shows {node.probe().strip()}"
