"""A supervisor loses a child whose module is deleted, and the appup forgets to end it (ours)."""


def check(node):
    assert node.pid("helper")
    plan = node.plan("b")
    told = node.says(plan, process="helper") or node.says(plan, r"k\.helper")
    why = node.ends("b", process="helper", module="k.helper")
    if why is not None:
        assert told, f"b is refused, and no blocker names helper: {why}"
        return
    assert told or not node.pid("helper"), "helper runs on without a module, and the plan of b said nothing"
    assert node.value()[0] == "b", f"b is current, and the page shows {node.probe().strip()}"
