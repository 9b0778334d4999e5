"""Members of an enumeration are the keys of a dict in a state, and the enumeration is made anew.

Reported as streamlit issue 2379.
"""

VERSIONS = "abc"


def check(node):
    assert node.value() == 7
    node.holds("b", "7", "Status", process="box", module="k.status", then="c")
