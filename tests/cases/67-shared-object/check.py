"""An object that a module makes in its body is imported by name elsewhere (solara issue 242)."""


def check(node):
    assert node.value() == ("a", True, 1)
    plan = node.plan("b")
    said = node.says(plan, r"k\.settings(\.store)?|store")
    node.go("b")
    vsn, same, count = node.value()
    assert vsn == "b", "b is current, and the page does not show it"
    assert same, "two modules have two different stores after the upgrade"
    assert said or count == 2, f"the store counts {count} instead of 2 calls, and the plan of b warned of nothing"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value()[:2] == ("a", True), f"after the rollback the page shows {node.probe().strip()}"
