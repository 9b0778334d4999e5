"""The part of this OS process in a node with several workers, and its messages to the others."""

from .role import ONLY_BOOT, WorkerBoot, WorkerRole

__all__ = ["ONLY_BOOT", "WorkerBoot", "WorkerRole"]
