"""A task child waits in its own loop and calls its step by its short name (couchdb pull request 762)."""

VERSIONS = "abc"


def check(node):
    assert node.until(lambda: node.value() == "a"), "the loop of a never runs"
    node.goes_on(
        "b",
        "the loop of walker",
        named=lambda plan: node.says(plan, process="walker") or node.says(plan, r"(k\.walk[.:])?run"),
        renewed=lambda: node.until(lambda: node.value() == "b", within=2),
        process="walker",
        module="k.walk",
        then="c",
    )
