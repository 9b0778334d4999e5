"""A child that was started with an object is restarted after the object's class was made anew (ours)."""


def check(node):
    assert node.value() == ("a", True)
    for vsn in "bab":
        plan = node.plan(vsn)
        assert not plan["blockers"], f"{vsn} is refused: {plan['blockers'][0]['reason']}"
        done = node.upgrade(vsn) if vsn == "b" else node.rollback()
        assert done.rc in (0, 6), f"going to {vsn} fails: {done.last}"
        before = node.pid("worker")
        node.kill(before)
        assert node.until(lambda before=before: node.pid("worker") not in (None, before)), "worker is not restarted"
        found = node.value()
        assert found == (vsn, True), f"after the upgrade to {vsn} and a restart of worker, the page shows {found}"
