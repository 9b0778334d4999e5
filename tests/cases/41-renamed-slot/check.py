"""A plain class with __slots__ renames one of them, while a process holds instances (ipython issue 13369)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ["a 1", "a 2"]
    node.holds("b", "['b 1', 'b 2']", "Order", process="box", module="k.order", then="c")
