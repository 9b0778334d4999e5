"""A body registers a function for the end of the process (glean pull request 916)."""


def check(node):
    file = node.data / "ends"
    assert node.value() == "a"
    for _ in range(2):
        node.plan("b")
    assert not file.exists(), "a plan, which should touch nothing, has called the exit hook"
    why = node.ends("b", process="box", module="k.farewell")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    done = node.script("stop")
    assert done.rc == 0, f"the node does not stop: {done.last}"
    found = file.read_text().split() if file.exists() else []
    assert found in (["b"], []), f"at the node's end the exit hooks of {found} are called"
