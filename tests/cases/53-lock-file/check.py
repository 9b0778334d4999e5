"""A module takes a lock on a file in its body and keeps it; the release after that carries it.

Reported as flux-core issue 1078.
"""

VERSIONS = "abc"


def check(node):
    assert node.value() == ("a", "locked")
    plan = node.plan("b")
    error = (plan.get("rehearsal") or {}).get("error") or ""
    assert node.says(plan, r"k\.lock|\S*lock\.py") or "k.lock" in error, "the plan of b does not name k.lock"
    assert node.value() == ("a", "locked"), "a plan, which should touch nothing, has released the lock"
    done = node.upgrade("b", "--unrehearsed")
    assert done.rc == 1, "the body of b can't take the lock, and the upgrade is not refused"
    assert "lock" in done.last, f"the refusal of b does not name k.lock: {done.last}"
    assert node.value() == ("a", "locked"), "a refused upgrade has released the lock"
    why = node.ends("c", process="box", module="k.lock")
    assert why is None, f"c carries the lock, and can't be reached: {why}"
    assert node.value() == ("c", "locked"), "c is current, and the lock is not held"
