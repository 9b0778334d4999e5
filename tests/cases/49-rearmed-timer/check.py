"""A timer of asyncio that a process has set calls a function that sets it again (pyscript pull request 42)."""

VERSIONS = "abc"


def check(node):
    assert node.until(lambda: node.value()[1] == "a"), "the timer of a never rings"
    node.goes_on(
        "b",
        "the timer of box, which calls tick,",
        named=lambda plan: node.says(plan, r"(k\.box[.:])?tick"),
        renewed=lambda: node.until(lambda: node.value() == ("b", "b"), within=2),
        process="box",
        module="k.box",
        then="c",
    )
