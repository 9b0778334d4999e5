"""The state is a dict, and the new code reads a key that only the new `init` sets (Garbage-Collection issue 439)."""


def check(node):
    assert node.value() == ("a", 0)
    plan = node.plan("b")
    if node.says(plan, "'?names'?", process="box"):
        return
    assert not plan["blockers"], f"b is refused, and no blocker names the key: {plan['blockers'][0]['reason']}"
    node.go("b")
    page = node.probe()
    assert page.status == 200, f"the plan of b does not name the key, and then the page fails: {page.last}"
