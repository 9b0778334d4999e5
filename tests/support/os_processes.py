"""OS processes of nodes, as the operating system sees them; they may end at any moment."""

from __future__ import annotations

import os

import psutil

from node_runtime.control.gateway_process import GATEWAY


def command_line(process: psutil.Process) -> list[str]:
    """The words of its command line; empty if it has ended, also while it is a zombie."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # of which ZombieProcess is a kind
        return []


def gateway_of(pid: int | None = None) -> psutil.Process | None:
    """The gateway of a node's OS process, by default of this one; None while none runs."""
    children = psutil.Process(os.getpid() if pid is None else pid).children()
    return next((child for child in children if GATEWAY in command_line(child)), None)


def running_gateway(pid: int | None = None) -> psutil.Process:
    """The gateway, which has to run."""
    gateway = gateway_of(pid)
    assert gateway is not None
    return gateway
