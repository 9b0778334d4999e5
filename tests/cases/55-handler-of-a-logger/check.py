"""A handler that a module adds in its body writes once after plans, an upgrade, a rollback and a second upgrade.

Reported as Source.Python pull request 322.
"""


def check(node):
    log = node.data / "chat.log"

    def lines():
        before = len(log.read_text().splitlines())
        node.value()
        return log.read_text().splitlines()[before:]

    assert lines() == ["a chat"]
    for _ in range(2):
        node.plan("b")
    assert lines() == ["a chat"], "after two plans, which should touch nothing, a call writes other lines"
    for vsn in "bab":
        plan = node.plan(vsn) if vsn == "b" else {"blockers": [], "warnings": []}
        said = bool(plan["warnings"]) and node.says(plan, r"k\.talk")
        if vsn == "a":
            done = node.rollback()
            assert done.rc == 0, f"the rollback fails: {done.last}"
        else:
            why = node.ends(vsn, process="box", module="k.talk")
            assert why is None, f"{vsn} can't be reached, and nothing that its plan names helps: {why}"
        found = lines()
        assert said or found == [f"{vsn} chat"], f"{vsn} is current, and a call writes {found} to the log"
