"""A body defines a table in metadata that another module owns, and a release adds a column (sqlmodel issue 350)."""


def check(node):
    assert node.value() == ["id", "name"]
    for _ in range(2):
        node.plan("b")
    assert node.value() == ["id", "name"], "plans, which should touch nothing, have changed the table"
    why = node.ends("b", process="box", module="k.tables")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    found = node.value()
    assert found == ["id", "name", "price"], f"b is current, and its table has the columns {found}"
