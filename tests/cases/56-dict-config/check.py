"""A body configures logging for the whole process with dictConfig (freqtrade pull request 3996)."""


def check(node):
    log = node.data / "app.log"

    def lines():
        before = log.read_text().count("\n")
        node.value()
        return log.read_text().count("\n") - before

    assert lines() == 1
    for _ in range(3):
        plan = node.plan("b")
    assert lines() == 1, "after three plans, which should touch nothing, a call writes another number of lines"
    said = node.says(plan, r"k\.logs")
    why = node.ends("b", process="box", module="k.logs")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    assert said or lines() == 1, f"b is current, and a call writes {lines()} lines to the log"
