"""Processes send each other messages and calls all the time while their states are migrated twice (ours)."""

VERSIONS = "abc"


def check(node):
    assert node.until(lambda: node.value()["turns"] > 20), "the players of a never play"
    for vsn in "bc":
        done = node.upgrade(vsn, "--wait", 20)
        assert done.rc == 0, f"the upgrade to {vsn} fails: {done.last}"
        node.commit()
    before = node.value()["turns"]
    assert node.until(lambda: node.value()["turns"] > before + 20), "after the upgrades nobody plays any more"
    found = node.value()
    assert found["lost"] == 0, f"{found['lost']} turns have been lost"
    assert found["vsn"] == "c", f"c is current, and the players are of {found['vsn']}"
