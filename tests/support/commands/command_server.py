"""An OS process that has imported the commands of this project, and forks for each command that a test runs.

A command imports 300 modules, which takes most of its time. A fork has them already. Apart from that, it is a process
like each other one: with its own arguments, environment, folder, streams and exit code. `forked_command` starts the
server, and sends the requests: a byte with four descriptors (the three streams, and a socket), then a `Request` through
that socket. It gets the pid back at once, and the exit code at the end.
"""

import array
import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

COMMANDS = {"hotdash": "hotdash.cli", "node-runtime": "node_runtime.cli"}
"""The modules of the commands; `main` is their function."""

OFTEN_IMPORTED = (
    "hotdash.cli.inspect",
    "hotdash.cli.plan",
    "hotdash.cli.upgrade",
    "hotdash.cli.processes.listing",
    "hotdash.cli.processes.tree",
    "node_runtime.cli.commands",
    "node_runtime.releases.build.tarball",
    "node_runtime.releases.store.catalog",
    "node_runtime.releases.store.unpack",
)


class Request(TypedDict):
    """A command line, whose first word is a key of `COMMANDS`, and the surroundings of its process."""

    line: list[str]
    env: dict[str, str]
    cwd: str


def serve(control: socket.socket) -> Callable[[], object]:
    """Fork for each request until `control` is closed. Return only in a fork, with the function that it has to run."""
    running: dict[int, socket.socket] = {}

    def report_ended(*_: object) -> None:
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with running.pop(pid) as reply:
                reply.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    signal.signal(signal.SIGCHLD, report_ended)
    gc.freeze()
    while descriptors := _received(control):
        reply = socket.socket(fileno=descriptors[3])
        with reply.makefile("rb") as lines:
            request: Request = json.loads(lines.readline())
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            for each in (control, reply, *running.values()):
                each.detach()
            return _become(request, descriptors[:3])
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        running[pid] = reply
        reply.sendall(b"%d\n" % pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    sys.exit()


def _received(control: socket.socket) -> list[int]:
    """Wait for a request; return its descriptors, none if the other end is closed."""
    found = array.array("i")
    _, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(4 * found.itemsize))
    for _, _, data in ancillary:
        found.frombytes(data)
    return found.tolist()


def _become(request: Request, streams: list[int]) -> Callable[[], object]:
    """Make this fork what a new process with the request's command line would be; return the command's function."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = [str(Path(sys.executable).parent / request["line"][0]), *request["line"][1:]]
    main: Callable[[], object] = importlib.import_module(COMMANDS[request["line"][0]]).main
    return main


if __name__ == "__main__":
    sys.path[0] = str(Path(sys.executable).parent)  # as for the script of a command
    for name in (*COMMANDS.values(), *OFTEN_IMPORTED):
        importlib.import_module(name)
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1])))())  # type: ignore[arg-type]
