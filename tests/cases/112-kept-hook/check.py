"""A process sets `sys.excepthook` and a signal handler to functions of a module that changes (mpfb2 issue 45)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", "a")
    told = set()
    for vsn in "bc":
        plan = node.plan(vsn)
        told |= {name for name in ("sys.excepthook", "SIGUSR2") if node.says(plan, name, r"k\.hooks")}
        why = node.ends(vsn, module="k.hooks")
        assert why is None, f"{vsn} can't be reached: {why}"
        for name, found in zip(("sys.excepthook", "SIGUSR2"), node.value(), strict=True):
            assert name in told or found == vsn, f"{vsn} is current, no plan has named {name}, which is that of {found}"
        node.commit()
