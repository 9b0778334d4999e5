"""A state holds a generator and an asynchronous one that the older module has begun (ours)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", 1)
    plan = node.plan("b")
    named = node.says(plan, r"(k\.source[.:])?numbers", process="box")
    assert named, "the plan of b does not name box and the generator numbers, which a has begun"
    if plan["blockers"]:
        assert node.upgrade("b").rc == 1, "b's plan has a blocker, and the upgrade is not refused"
        assert node.value() == ("a", 2), "a refused upgrade has touched the generator"
        return
    node.go("b")
    for vsn in "bc":
        why = node.ends(vsn, process="box", module="k.source", tries="restart kill")
        assert why is None, f"no verb ends the generators of a, so {vsn} can't be reached: {why}"
