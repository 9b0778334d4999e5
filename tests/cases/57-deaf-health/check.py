"""A release whose process crashes again and again also silences logging: it must not be committed (ours)."""


def check(node):
    assert node.value() == "a"
    node.go("b")
    node.until(lambda: node.probe().status != 200, within=5)
    done = node.hotdash("upgrade", node.name, "b", "--yes", "--commit", "-o", "json", timeout=60)
    now = node.releases()
    assert now["a"]["status"] == "permanent", f"b crashes once a second, and is committed all the same: {done.last}"
