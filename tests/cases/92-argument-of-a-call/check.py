"""A call waits for a busy server, and its argument is an instance of a class that is made anew (ours)."""

from concurrent.futures import ThreadPoolExecutor


def check(node):
    with ThreadPoolExecutor(2) as callers:
        asked = callers.submit(node.value, "", 60)
        assert node.until(lambda: node.pid("box") and waits(node)), "the call never waits"
        plan = node.plan("b")
        told = node.says(plan, r"Order|k\.order(\.\w+)*")
        upgrading = callers.submit(node.upgrade, "b", "--wait", 20)
        node.until(lambda: upgrading.done() or is_waiting(node))
        (node.data / "enough").touch()
        done, answer = upgrading.result(), asked.result()
    assert done.rc == 0 or told, f"b is refused, and no blocker names Order: {done.last}"
    assert told or answer in (("a", True), ("b", True)), (
        f"the plan of b did not name Order, and the call that waited got {answer}"
    )


def waits(node):
    return any(
        one.get("mailbox") or one.get("messages") or one.get("status") != "waiting"
        for one in node.processes()
        if one["name"] == "box"
    )


def is_waiting(node):
    return (node.status().get("operation") or {}).get("phase") in ("waiting", "holding")
