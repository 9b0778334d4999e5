"""A task of another module adds to a list that a code_change copies (ours)."""


def check(node):
    assert node.until(lambda: node.value()[1] > 1), "the feed adds nothing"
    plan = node.plan("b")
    told = node.says(plan, "feed", "list", process="box")
    node.go("b")
    before = node.value()[1]
    grows = node.until(lambda: node.value()[1] > before, within=5)
    assert told or grows, "after the upgrade the jobs of the feed are lost, and the plan of b doesn't name the list"
