"""A module binds a port in its body, which can't be done twice (hypercorn issue 151, exrm issue 272)."""

import socket


def check(node):
    def greeting():
        with socket.create_connection(("127.0.0.1", node.port2), timeout=10) as client:
            return client.recv(100).decode()

    assert (node.value(), greeting()) == ("serving", "hello from a")
    for _ in range(2):
        plan = node.plan("b")
        assert plan["blockers"], "the body of b can't bind the port, and its plan has no blocker"
        assert node.says(plan, r"k\.door|\S*door\.py"), "b is refused, and no blocker names k.door"
    assert node.upgrade("b").rc == 1, "b's plan has a blocker, and the upgrade is not refused"
    assert (node.value(), greeting()) == ("serving", "hello from a"), "a refused upgrade has touched the port"
