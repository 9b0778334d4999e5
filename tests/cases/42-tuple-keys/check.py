"""A named tuple gains a field with a default, while its instances are the keys of a state (ours)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == "home"
    node.holds("b", "'home'", "Point", process="box", module="k.point", then="c")
