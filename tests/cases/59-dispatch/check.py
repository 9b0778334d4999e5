"""A body registers its class with a function of singledispatch and with an abstract class, both of modules that stay.

Reported as twisted issue 11111.
"""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("circle a", True)
    node.plan("b")
    assert node.value() == ("circle a", True), "a plan, which should touch nothing, has registered classes"
    for vsn in "bc":
        why = node.ends(vsn, process="box", module="k.shapes")
        assert why is None, f"{vsn} can't be reached, and nothing that its plan names helps: {why}"
        assert node.value() == (f"circle {vsn}", True), f"{vsn} is current, and the page shows {node.probe()}"
