"""A module that stays has cached what a changed function returned (panel issue 6650)."""


def check(node):
    assert node.value() == ("a", "a")
    plan = node.plan("b")
    told = node.says(plan, r"k\.prices\.\w+", r"k\.rates\.rate")
    why = node.ends("b", module="k.rates")
    assert why is None, f"b can't be reached: {why}"
    found = node.value()
    assert told or found == ("b", "b"), (
        f"the plan of b does not name the caches of k.prices, and then they give {found}"
    )
