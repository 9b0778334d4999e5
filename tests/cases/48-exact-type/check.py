"""Code compares the exact class of an object that lives in another object of a state (ipython issue 12399)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == [True, True]
    node.holds("b", "[True, True]", "Circle", process="box", module="k.shapes", then="c")
