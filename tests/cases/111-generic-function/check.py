"""A class changes for which another module has registered an implementation (ipython issue 13258)."""

VERSIONS = "abcd"


def check(node):
    assert node.value() == ("thing", "number a")
    for vsn in "bc":
        plan = node.plan(vsn)
        told = node.says(plan, r"k\.gen\.show", r"k\.impl")
        why = node.ends(vsn, module="k.things")
        assert why is None, f"{vsn} can't be reached: {why}"
        found = node.value()
        assert told or found[0] == "thing", f"the plan of {vsn} does not name k.impl, and then the page shows {found}"
        node.commit()
    why = node.ends("d", module="k.things")
    assert why is None, f"d can't be reached: {why}"
    found = node.value()
    assert found == ("thing", "number d"), f"d loads k.impl, too, and the page shows {found}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value()[1] == "number a", f"after the rollback the page shows {node.probe().strip()}"
