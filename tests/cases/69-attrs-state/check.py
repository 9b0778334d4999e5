"""A state is a frozen attrs class that gains a field with a default; there is no code_change (attrs issue 83)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", ["tea"], "no note")
    plan = node.plan("b")
    why = plan["blockers"][0]["reason"] if plan["blockers"] else ""
    assert not plan["blockers"], f"each new field has a default, and b is refused: {why}"
    node.go("b")
    assert node.value() == ("b", ["tea"], "none"), f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ("a", ["tea"], "no note"), f"after the rollback the page shows {node.probe().strip()}"
    for vsn in "bc":
        why = node.ends(vsn, process="box")
        assert why is None, f"{vsn} can't be reached: {why}"
    assert node.value() == ("c", ["tea"], "none"), f"c is current, and the page shows {node.probe().strip()}"
