"""Gateways that run, as the operating system sees them."""

from __future__ import annotations

import os

import psutil

from node_runtime.control.gateway_process import GATEWAY
from tests.support.command_lines import command_line


def gateway_of(pid: int | None = None) -> psutil.Process | None:
    """The gateway of a node's OS process, by default of this one; None while none runs."""
    for child in psutil.Process(os.getpid() if pid is None else pid).children():
        if GATEWAY in command_line(child):
            return child
    return None


def running_gateway(pid: int | None = None) -> psutil.Process:
    """The gateway, which has to run."""
    gateway = gateway_of(pid)
    assert gateway is not None
    return gateway
