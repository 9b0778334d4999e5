"""Commands whose stdin, stdout or stderr is closed, full or a pipe that nobody reads (schemathesis issue 4229)."""


def check(node):
    node.stage("b")
    for words in ("plan {} b -o json", "state {} box", "upgrade {} b --yes", "releases {} -o json"):
        line = f"{node.programs / 'hotdash'} {words.format(node.name)}"
        for how in ("<&- >&-", "<&- >&- 2>&-", "| true", "2>/dev/full >/dev/full"):
            done = node.command("sh", "-c", f"{line} {how}", timeout=60)
            assert "Traceback" not in done.err, f"hotdash {words} {how} ends with a traceback: {done.last[:200]}"
            assert "Exception ignored" not in done.err, f"hotdash {words} {how} says: {done.last[:200]}"
            assert done.rc in range(7), f"hotdash {words} {how} ends with {done.rc}"
    assert node.vsn == "b", "an upgrade whose output nobody takes has not been made"
    assert node.value()[0] == "b", "an upgrade whose output nobody takes has not been made"
