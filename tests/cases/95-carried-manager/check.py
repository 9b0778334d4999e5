"""A module carries its manager of connections, whose class gets a new method (fastapi issue 2522 and ours)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", 1, "no kick")
    for vsn in "bc":
        plan = node.plan(vsn)
        if plan["blockers"]:
            assert node.says(plan, r"(k\.hub\.)?(manager|Manager)"), f"{vsn} is refused without naming the manager"
            return
        node.go(vsn)
        count = "bc".index(vsn) + 2
        assert node.value() == (vsn, count, f"kick {vsn}"), f"{vsn} is current, and shows {node.probe().strip()}"
        if vsn == "b":
            node.commit()
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ("b", 4, "kick b"), f"after the rollback the page shows {node.probe().strip()}"
