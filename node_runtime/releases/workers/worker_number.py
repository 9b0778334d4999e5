"""The number of this worker of the node, for applications and listeners."""

from __future__ import annotations

from dataclasses import dataclass

from node_runtime.processes import runtime


@dataclass(slots=True)
class Worker:
    """A worker of the node. `number` counts from 1; `count` is the number of the node's workers. Both are set at boot.

    OTP has no such class.
    """

    number: int = 1
    count: int = 1


def worker() -> Worker:
    """Return the worker in which the caller runs. What a node must do only once can be done in worker 1.

    OTP has no such function.
    """
    return runtime().singleton(Worker)
