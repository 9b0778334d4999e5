"""The instruction that a blocker advises, put into the appup, migrates all values of the usual kinds (ours)."""

import re

VERSIONS = "abc"
ADVICE = []


def project(folder, vsn):
    """c is b with the instructions that the plan of b advises, up and down."""
    if vsn == "c":
        appup = folder / "apps/k/appup.toml"
        more = ", ".join(ADVICE)
        appup.write_text(appup.read_text().replace("instructions = [ ", f"instructions = [ {more}, "))


def check(node):
    old = ([1, 2], ["none", "none"], True, "home", True)
    new = ([1, 2], [5, 5], True, "home", True)
    assert node.value() == old
    plan = node.plan("b")
    target = "b"
    if plan["blockers"]:
        target = "c"
        for blocker in plan["blockers"]:
            ADVICE.extend(one for one in re.findall(r"\{.*?\}", blocker["remedy"]) if one not in ADVICE)
        assert ADVICE, f"b is refused, and no instruction is advised: {plan['blockers'][0]['remedy']}"
        why = "; ".join(blocker["reason"] for blocker in node.plan("c")["blockers"])
        assert not why, f"c has the instructions that the plan of b advised, and is refused: {why}"
    node.go(target)
    assert node.value() == new, f"{target} is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == old, f"after the rollback the page shows {node.probe().strip()}"
