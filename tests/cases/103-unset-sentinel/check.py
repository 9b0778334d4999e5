"""A value of the state is compared with an object that the module makes in its body (unsloth issue 11384)."""


def check(node):
    assert node.value() == ("a", 4096, "nothing")
    plan = node.plan("b")
    if plan["blockers"]:
        assert node.says(plan, "UNSET", process="box"), f"b is refused: {plan['blockers'][0]['reason']}"
        return
    for vsn in "bab":
        done = node.upgrade(vsn) if vsn == "b" else node.rollback()
        assert done.rc in (0, 6), f"going to {vsn} fails: {done.last}"
        found = node.value()
        assert found == (vsn, 4096, "nothing"), f"after going to {vsn} the page shows {found}"
