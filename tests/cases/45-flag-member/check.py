"""A state holds a combination of flags, and the release adds a flag (ipython issue 13651)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == (True, 3)
    node.holds("b", "(True, 3)", "Right", process="box", module="k.right", then="c")
