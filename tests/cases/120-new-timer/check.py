"""The new `init` sets a timer, and the process that runs has never set it (ours)."""


def check(node):
    assert node.value() == ("a", 0)
    plan = node.plan("b")
    told = node.says(plan, "send_after", process="box") or node.says(plan, "send_after", "box")
    if plan["blockers"]:
        assert told, f"b is refused, and no blocker names the timer: {plan['blockers'][0]['reason']}"
        return
    node.go("b")
    ticks = node.until(lambda: node.value()[1], within=2)
    assert told or ticks, "the plan of b does not name the timer, and then nothing sets it"
