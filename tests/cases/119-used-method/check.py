"""A module that stays calls a method that is renamed and a function that requires one more argument (ours)."""


def check(node):
    assert node.value() == (3, "3 EUR")
    plan = node.plan("b")
    told = [node.says(plan, r"k\.till", name) for name in (r"k\.rules\.Price\.text", r"k\.rules\.total")]
    if all(told):
        return
    assert not plan["blockers"], f"b is refused, and no blocker names k.till: {plan['blockers'][0]['reason']}"
    node.go("b")
    page = node.probe()
    assert page.status == 200, f"the plan of b does not name what k.till uses, and then the page fails: {page[-200:]}"
