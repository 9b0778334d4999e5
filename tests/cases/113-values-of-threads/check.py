"""The threads of a pool count in a `threading.local`, and its module changes twice (aleph pull request 438)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", 1)
    assert node.value() == ("a", 2)
    count = 2
    for vsn in "bc":
        plan = node.plan(vsn)
        told = node.says(plan, r"k\.counts\.local")
        why = node.ends(vsn, module="k.counts")
        assert why is None, f"{vsn} can't be reached: {why}"
        found, count = node.value(), count + 1
        assert found[0] == vsn, f"{vsn} is current, and the page is that of {found[0]}"
        assert told or found[1] == count, f"the plan of {vsn} does not name k.counts.local, and the count is {found[1]}"
        count = found[1]
        node.commit()
