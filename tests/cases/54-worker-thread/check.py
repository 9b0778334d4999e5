"""A module starts in its body a thread that owns a database connection, and takes orders by a queue (ours)."""


def check(node):
    assert node.value() == ("a", 1)
    for _ in range(3):
        plan = node.plan("b")
    assert node.value() == ("a", 2), "three plans, which should touch nothing, have written to the database"
    said = node.says(plan, r"k\.store|\S*store\.py|(k\.store[.:])?serve")
    why = node.ends("b", process="box", module="k.store")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    page = node.probe()
    assert page.strip() == "('b', 3)", f"b is current, and the page shows {page.strip().splitlines()[-1]}"
    assert said, "the thread of a goes on, and the plan of b has not named k.store or its function serve"
