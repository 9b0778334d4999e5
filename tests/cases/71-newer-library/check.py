"""A release requires a newer version of a library that the running one has imported (EternalCore issue 792)."""


def check(node):
    assert node.value() == ("a", "4.15.0")
    why = node.ends("b", process="box")
    assert why is None, f"nothing that the plan names leads to b: {why}"
    assert node.value() == ("b", "4.16.0"), f"b is current, and the page shows {node.probe().strip()}"
