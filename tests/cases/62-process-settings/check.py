"""A body sets a signal handler, adds a warnings filter and puts its module under another name (ours)."""


def check(node):
    assert node.value() == ("a", 1, "a")
    for _ in range(3):
        node.plan("b")
    assert node.value() == ("a", 1, "a"), f"three plans, which should touch nothing, leave {node.value()}"
    for vsn in "bab":
        if vsn == "a":
            done = node.rollback()
            assert done.rc == 0, f"the rollback fails: {done.last}"
        else:
            why = node.ends(vsn, process="box", module="k.settings")
            assert why is None, f"{vsn} can't be reached, and nothing that its plan names helps: {why}"
        found = node.value()
        assert found == (vsn, 1, vsn), f"{vsn} is current, and the settings are {found}"
