"""A thread that a process has started goes on in old code (SharpPluginLoader issue 29, uvicorn issue 932)."""

VERSIONS = "abc"


def check(node):
    file = node.data / "by"
    assert node.until(lambda: file.exists() and file.read_text() == "a"), "the thread of a never writes"
    node.goes_on(
        "b",
        "the thread of box, which runs work,",
        named=lambda plan: node.says(plan, r"(k\.box[.:])?work|thread writer"),
        renewed=lambda: node.until(lambda: file.read_text() == "b", within=2),
        process="box",
        module="k.box",
        then="c",
    )
