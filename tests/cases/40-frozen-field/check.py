"""A frozen dataclass gains a field and loses one, while a deque in a state holds instances of it.

Reported as ipython issues 12185 and 12411.
"""

VERSIONS = "abc"


def check(node):
    assert node.value() == [(1, "no priority"), (2, "no priority")]
    node.holds("b", "[(1, 5), (2, 5)]", "Job", process="box", module="k.job", then="c")
