"""A body connects a function to a signal of another module, which is not loaded anew (peewee pull request 1541)."""


def check(node):
    assert node.value() == ["a saved"]
    for _ in range(3):
        plan = node.plan("b")
    found = node.value()
    assert found == ["a saved"], f"after three plans, which should touch nothing, the signal calls {found}"
    said = node.says(plan, r"k\.hooks|(k\.hub[.:])?receivers")
    why = node.ends("b", process="box", module="k.hooks")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    found = node.value()
    assert said or found == ["b saved"], f"b is current, its plan warned of nothing, and the signal calls {found}"
