"""The methods of a server are wrapped by a decorator of a module that is loaded anew (ipython issue 11099)."""


def check(node):
    assert node.value() == ("a", 1)
    plan = node.plan("b")
    told = node.says(plan, r"k\.tools(\.\w+)*") or node.says(plan, process="box")
    if plan["blockers"]:
        assert told, f"b is refused, and no blocker names k.tools: {plan['blockers'][0]['reason']}"
        return
    node.go("b")
    found = node.value()
    assert told or found == ("b", 2), f"b is current, its plan warned of nothing, and the page shows {found}"
