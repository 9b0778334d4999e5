"""A state holds an object that its finalizer closes, and the class of the object is made anew (ours)."""


def check(node):
    assert node.value() == "open"
    plan = node.plan("b")
    told = node.says(plan, "finalizer", process="box")
    done = node.upgrade("b")
    found = node.value()
    assert found == "open", f"the upgrade to b ended with {done.rc}, and the object in the state of box is {found}"
    assert told or done.rc == 0, f"b is refused, and no blocker names the finalizer: {done.last}"
