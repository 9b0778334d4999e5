"""A pool of threads of a module still works on what the older code has given it (ours)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == "started by a"
    node.goes_on(
        "b",
        "the work of a thread of the pool",
        named=lambda plan: node.says(plan, r"(k\.work[.:])?(crunch(_\d+)?|pool)"),
        renewed=lambda: False,
        process="box",
        module="k.work",
        then="c",
    )
