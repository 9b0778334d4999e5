"""A state has objects that can't be printed or compared (ipython issue 12870, pudb pull request 36)."""


def check(node):
    first = node.value()
    assert first == ("a", 8)
    for words in (("state", node.name, "box"), ("state", node.name, "box", "-o", "json"), ("plan", node.name, "b")):
        if words[0] == "plan":
            node.stage("b")
        done = node.hotdash(*words)
        assert done.rc == 0, f"hotdash {words[0]} fails: {done.last}"
        assert "Traceback" not in done.err, f"hotdash {words[0]} fails: {done.last}"
    node.go("b")
    assert node.value() == ("b", 8), f"b is current, and the page shows {node.probe().strip()}"
    done = node.rollback()
    assert done.rc == 0, f"the rollback fails: {done.last}"
    assert node.value() == ("a", 8), f"after the rollback the page shows {node.probe().strip()}"
