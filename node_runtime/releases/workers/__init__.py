"""The workers of a node: which worker this OS process is, and the messages between worker 1 and the other workers."""

from .led_workers import LedWorkers
from .messages import At, Bad, Committed, Done, Go, Greeting, WorkerMessage, decode, encode
from .place import ONLY_WORKER, WorkerPlace
from .plan_warnings import with_worker_warnings

__all__ = [
    "ONLY_WORKER",
    "At",
    "Bad",
    "Committed",
    "Done",
    "Go",
    "Greeting",
    "LedWorkers",
    "WorkerMessage",
    "WorkerPlace",
    "decode",
    "encode",
    "with_worker_warnings",
]
