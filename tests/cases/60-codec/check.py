"""A body registers a codec, and the registry of codecs caches what it has found (ours)."""


def check(node):
    assert node.value() == "a:hello"
    node.plan("b")
    assert node.value() == "a:hello", "a plan, which should touch nothing, has registered a codec"
    for vsn in "bab":
        if vsn == "a":
            done = node.rollback()
            assert done.rc == 0, f"the rollback fails: {done.last}"
        else:
            node.go(vsn)
        found = node.value()
        assert found == f"{vsn}:hello", f"{vsn} is current, and the codec encodes as {found}"
