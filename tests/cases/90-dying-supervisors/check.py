"""Supervisors with their children end and start while a release is installed (otp pull requests 822 and 11346)."""


def check(node):
    count = node.value()[1]
    for number in range(1, 3):
        done = node.upgrade("b", "--wait", 20)
        assert done.rc == 0, f"upgrade {number} fails: {done.last}"
        done = node.rollback("--wait", 20)
        assert done.rc == 0, f"rollback {number} fails: {done.last}"
    _, now, errors = node.value()
    assert now > count, "no supervisor has been started meanwhile"
    assert not errors, f"supervisors could not be started meanwhile: {errors[-1]}"
