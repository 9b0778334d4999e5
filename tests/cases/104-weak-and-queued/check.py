"""A state holds its sessions weakly, too, and its jobs in a queue, with dates in a time zone of its own (ours)."""


def check(node):
    expected = (True, 2, ["one", "two"], "+01:30")
    assert node.value() == ("a", *expected)
    for vsn in "bab":
        plan = node.plan(vsn)
        assert not plan["blockers"], f"{vsn} is refused: {plan['blockers'][0]['reason']}"
        done = node.upgrade(vsn) if vsn == "b" else node.rollback()
        assert done.rc in (0, 6), f"going to {vsn} fails: {done.last}"
        found = node.value()
        assert found == (vsn, *expected), f"after going to {vsn} the page shows {found}"
