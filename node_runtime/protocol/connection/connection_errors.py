"""The errors of a client's connection: each has a sentence for people, and an exit code for the command."""

from __future__ import annotations

import zmq

from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeAddress, is_node_alive
from node_runtime.protocol.wire import HANDSHAKE_LIMIT_SECONDS


class ClosedEarly(Refused):
    """The node has closed a connection before its first reply.

    Another attempt may succeed, even during a flood of clients.
    """


def unreachable(address: NodeAddress, how: str, kind: type[Refused] = Refused) -> Refused:
    """Return the error for a node that can't be reached; `how` says what the node did instead of answering."""
    record = address.record
    detail = "."
    if record is not None:
        detail = f"; its process {record.os_pid} {'is alive' if is_node_alive(record) else 'has ended'}."
    return kind(f"{address.name} {how}{detail}", ExitCode.UNREACHABLE)


def disconnected(address: NodeAddress, *, had_connected: bool, had_shaken_hands: bool, had_answered: bool) -> Refused:
    """Return the error for a connection that has ended.

    The error is `ClosedEarly` if the node may listen again soon. A node doesn't listen while it restarts the OS process
    of its control socket.
    """
    may_listen_soon = had_connected or (address.record is not None and is_node_alive(address.record))
    how = "has closed the connection" if had_shaken_hands else "refused the connection"
    return unreachable(address, how, ClosedEarly if may_listen_soon and not had_answered else Refused)


def handshake_failed(address: NodeAddress, event: int, seconds: float) -> Refused:
    """Return the error for `event`, by which libzmq reports that a handshake failed `seconds` after it began.

    libzmq reports three cases by the event HANDSHAKE_FAILED_NO_DETAIL: the node closed the connection because of its
    limits; the cookie has the key of another node; or the node sent nothing until the time limit.
    """
    record, place = address.record, f"{address.host}:{address.port}"
    if event == zmq.Event.HANDSHAKE_FAILED_AUTH:
        return Refused(
            f"{address.name} does not know this cookie; ask the node's owner for the output of `bin/<name> cookie`.",
            ExitCode.NOT_ALLOWED,
        )
    if event == zmq.Event.HANDSHAKE_FAILED_PROTOCOL:
        return Refused(
            f"The program that answers at {place} is not a node; check the port of {address.name}.",
            ExitCode.UNREACHABLE,
        )
    if record is not None and not is_node_alive(record):
        return unreachable(address, "has closed the connection")
    if seconds >= HANDSHAKE_LIMIT_SECONDS * 0.9:
        peer = f"process {record.os_pid}" if record else place
        return Refused(
            f"{address.name} is silent: {peer} is alive but has not answered for {HANDSHAKE_LIMIT_SECONDS:g} s.",
            ExitCode.UNREACHABLE,
        )
    return ClosedEarly(
        f"{address.name} closes connections during the handshake: too many clients connect at once, or the cookie is "
        f"not for this node's present key; try again, or ask the node's owner for a new cookie (`bin/<name> cookie`).",
        ExitCode.UNREACHABLE,
    )


def not_understood(address: NodeAddress) -> Refused:
    """Return the error for a message of the node that can't be decoded."""
    return Refused(
        f"{address.name} sent a message that this version of hotdash can't decode; use the node's own hotdash: "
        f"`bin/<name> attach`."
    )
