"""A pool of worker processes that a state keeps: its workers were forked from the older code.

Reported as uvicorn issue 936.
"""

VERSIONS = "ab"


def check(node):
    assert node.value(within=60) == ("a", "a", True)
    plan = node.plan("b")
    told = node.says(plan, r"ProcessPoolExecutor|pool|worker process(es)?")
    node.go("b")
    vsn, worker, other = node.value(within=60)
    assert vsn == "b", "b is current, and the page does not show it"
    assert other, "the work is done in the node itself"
    assert told or worker == "b", f"b is current, its plan warned of nothing, and the workers run {worker}"
