"""A module's dict and its functools.cache hold data, and the module is made anew (ferstar/blog issue 48)."""


def check(node):
    assert node.value() == ({"calls": 1}, 1)
    plan = node.plan("b")
    told = node.says(plan, r"(k\.memory\.)?(TOTALS|parsed)")
    why = node.ends("b", process="box", module="k.memory")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    found = node.value()
    assert told or found == ({"calls": 2}, 1), f"the plan of b named no data of k.memory, and now it is {found}"
