"""An appup loads a module that the release does not contain (emqx issue 19050)."""


def check(node):
    done = node.build("b")
    assert done.rc != 0, "the appup of b loads k.gone, which b does not have, and b can be built"
    assert "k.gone" in done.err, f"b can't be built, and the message does not name k.gone: {done.last}"
    assert "appup.toml" in done.err, f"b can't be built, and the message does not name the appup: {done.last}"
    assert "Traceback" not in done.err, f"b can't be built, and the build fails with a traceback: {done.last}"
