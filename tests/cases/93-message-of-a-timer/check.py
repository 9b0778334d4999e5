"""A timer will deliver an instance of a class that is made anew while the timer runs (ours)."""


def check(node):
    assert node.value() == "waiting"
    plan = node.plan("b")
    told = node.says(plan, r"Alarm|k\.alarm(\.\w+)*")
    if plan["blockers"]:
        assert told, f"b is refused, and no blocker names Alarm: {plan['blockers'][0]['reason']}"
        return
    node.go("b")
    found = node.until(lambda: (node.value() != "waiting") and node.value(), within=20)
    assert told or found == "known", f"the plan of b did not name Alarm, and its message was {found}"
