"""A child spec calls a supervisor a worker: its children are upgraded too, or the plan says that they are not.

Reported as supavisor pull request 850.
"""


def check(node):
    assert node.value() == ("a", 1)
    plan = node.plan("b")
    if plan["blockers"]:
        assert node.says(plan, r"pool|deep|k\.deep"), "b is refused, and no blocker names the pool"
        return
    told = node.says(plan, process="pool") or node.says(plan, process="deep")
    node.go("b")
    found = node.value()
    assert told or found == ("b", 2), f"the process below the pool shows {found}, and the plan of b said nothing"
