"""A pydantic model with a validator gains a field, nested in containers of another model (pydantic issue 6079)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == (True, [1])
    node.holds("b", "(True, [1])", "Item or Cart", pattern="Item|Cart", process="box", module="k.items", then="c")
