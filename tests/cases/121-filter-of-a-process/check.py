"""A process adds a filter to a logger, and the class of the filter is made anew (ha-mcp pull request 2257)."""


def check(node):
    assert node.value() == "a"
    plan = node.plan("b")
    told = node.says(plan, r"k\.redact", "filter")
    why = node.ends("b", module="k.redact")
    assert why is None, f"b can't be reached: {why}"
    found = node.value()
    assert told or found == "b", f"the plan of b does not name the filter, and then records pass that of {found}"
