"""A supervisor's child gets another restart type, and it holds for the process that runs.

Reported as emqx pull request 8448.
"""


def check(node):
    pid = node.pid("helper")
    node.go("b")
    assert node.pid("helper") == pid, "the upgrade has started helper anew, and nothing in the appup says so"
    node.kill("helper")
    gone = node.until(lambda: node.pid("helper") not in (pid,), within=5)
    assert gone, "helper can't be killed"
    assert not node.until(lambda: node.pid("helper"), within=1), "b says temporary, and helper is started anew"
    assert node.pid("box"), "the end of a temporary child has ended its sibling"
