"""Open connections keep their protocol, whose class changes twice (asyncssh and aiosmtpd serve in this way; ours)."""

import socket

VERSIONS = "abc"


def check(node):
    with connected(node.port2) as first:
        assert answer(first) == "a 1", "the server of a does not answer"
        for vsn in "bc":
            told = node.says(node.plan(vsn), "connection", r"k\.wire")
            assert told, f"the plan of {vsn} does not name the open connection"
            why = node.ends(vsn, process="box", module="k.wire")
            assert why is None, f"{vsn} can't be reached: {why}"
            with connected(node.port2) as new:
                found = answer(new)
            assert found == f"{vsn} 1", f"{vsn} is current, and a new connection is answered with {found!r}"


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def answer(connection):
    connection.sendall(b"hello\n")
    return connection.recv(100).decode().strip()
