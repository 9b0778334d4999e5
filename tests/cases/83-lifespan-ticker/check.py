"""The lifespan of a site starts a ticker, and the site's module changes (uvicorn issues 1160 and 675)."""

VERSIONS = "abc"


def check(node):
    assert node.until(lambda: node.probe() == "a a"), "the site of a does not answer"
    node.goes_on(
        "b",
        "the ticker of the site",
        named=lambda plan: node.says(plan, r"(k\.api[.:])?(tick|lifespan)") or node.says(plan, process="site"),
        renewed=lambda: node.until(lambda: node.probe() == "b b", within=2),
        process="site",
        module="k.api",
        then="c",
    )
    node.restart_process(node.pid("site"))
    right = node.until(lambda: node.probe() == "c c", within=20)
    assert right, f"c runs, the site is started anew, and shows {node.probe()!r}"
