"""Bodies that end the process, by a signal, at once, by recursion or never, are refused with the file (ours)."""

VERSIONS = "abcde"


def check(node):
    first = node.value()[1]
    boot = node.status()["info"]["boot_id"]
    for vsn, what in {"b": "exits at once", "c": "is killed by a signal", "d": "recurses", "e": "never ends"}.items():
        plan = node.plan(vsn)
        error = (plan.get("rehearsal") or {}).get("error") or ""
        assert plan["blockers"] or error, f"the body of {vsn} {what}, and its plan doesn't say so"
        named = node.says(plan, r"\S*box\.py|k\.box") or "k.box" in error
        assert named, f"the plan of {vsn}, whose body {what}, does not name k.box"
        assert node.upgrade(vsn).rc == 1, f"the body of {vsn} {what}, and the upgrade is not refused"
    assert node.status()["info"]["boot_id"] == boot, "a plan has ended the node"
    assert node.value() == ("a", first + 1), "a plan has touched box"
