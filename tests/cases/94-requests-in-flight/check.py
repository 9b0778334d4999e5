"""Requests that run when two releases are installed and committed are answered (exrm issue 330)."""

from concurrent.futures import ThreadPoolExecutor

VERSIONS = "abc"


def check(node):
    with ThreadPoolExecutor(9) as clients:
        asked = [clients.submit(node.value, "", 60) for _ in range(8)]
        node.until(lambda: "begun" in (node.data / "begun").read_text() if (node.data / "begun").exists() else False)
        node.go("b", "--wait", 20)
        node.commit()
        upgrading = clients.submit(node.upgrade, "c", "--wait", 20)
        node.until(lambda: upgrading.done() or is_waiting(node))
        (node.data / "enough").touch()
        done = upgrading.result()
        answers = [one.result() for one in asked]
    assert answers == ["a"] * 8, f"the requests that had begun in a were answered {answers}"
    if done.rc:
        why = node.ends("c", module="k.page")
        assert why is None, f"c can't be reached after the requests of a: {why}"
    assert node.value() == "c", f"c is current, and the page shows {node.probe().strip()}"


def is_waiting(node):
    return (node.status().get("operation") or {}).get("phase") in ("waiting", "holding")
