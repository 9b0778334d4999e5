"""The role of a worker in a node with several workers, and its messages to the other workers."""

from .role import ONLY_BOOT, WorkerBoot, WorkerRole

__all__ = ["ONLY_BOOT", "WorkerBoot", "WorkerRole"]
