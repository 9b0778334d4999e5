"""A state keeps handlers: a partial, a bound method, a lambda and a function of a module that is loaded anew.

Reported as cslbot issue 943.
"""

VERSIONS = "abc"


def check(node):
    assert node.value() == ["a", "a", "a", "a"]
    node.holds(
        "b",
        "['b', 'b', 'b', 'b']",
        "a function of k.handlers",
        pattern=r"k\.handlers(\.\w+)*",
        process="box",
        module="k.handlers",
        then="c",
    )
