"""The new specification of a child has other arguments, and no instruction restarts the child."""


def check(node):
    assert node.value() == "a"
    told = node.says(node.plan("b"), "argum.*", "box")
    node.go("b")
    found = node.value()
    assert told or found == "b", f"the plan of b does not say that box keeps its arguments, and the page shows {found}"
    assert node.restart_process("box").rc == 0
    assert node.until(lambda: node.value() == "b"), f"box is restarted, and the page shows {node.value()}"
