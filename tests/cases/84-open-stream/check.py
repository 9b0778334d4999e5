"""A client reads a stream of events for as long as it likes, from a generator of the older code.

Reported as sse-starlette issue 128, uvicorn issue 2943.
"""

import urllib.request

VERSIONS = "abc"


def check(node):
    assert node.until(lambda: node.probe("short") == "a"), "the site of a does not answer"
    stream = urllib.request.urlopen(f"http://127.0.0.1:{node.port}/events", timeout=10)
    assert stream.readline() == b"data: a\n"

    def still_there():
        assert stream.readline(), "the upgrade has closed the stream"

    node.goes_on(
        "b",
        "the stream of events",
        named=lambda plan: node.says(plan, r"(k\.api[.:])?(events|\w+)", process="site"),
        renewed=lambda: False,
        process="site",
        module="k.api",
        then="c",
        meanwhile=still_there,
    )
    stream.close()
    node.restart_process(node.pid("site"))
    right = node.until(lambda: node.probe("short") == "c", within=20)
    assert right, f"c runs, the site is started anew, and shows {node.probe('short')!r}"
