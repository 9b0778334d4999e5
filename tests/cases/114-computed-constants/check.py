"""A module that stays as it is has computed a number, a table, an attribute and a default value with a constant."""

VERSIONS = "abc"


def right(vsn):
    least = ord(vsn)
    return 2 * least, least, vsn, least


def check(node):
    assert node.value() == right("a")
    for vsn in "bc":
        plan = node.plan(vsn)
        told = node.says(plan, r"k\.rules", r"k\.limits\.LEAST", "MOST")
        why = node.ends(vsn, module="k.limits")
        assert why is None, f"{vsn} can't be reached: {why}"
        found = node.value()
        assert told or found == right(vsn), f"the plan of {vsn} does not name k.rules, and then the page shows {found}"
        node.commit()
