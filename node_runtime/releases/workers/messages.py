"""The messages between worker 1 and the other workers, one line of JSON each. The parent passes them on.

Worker 1 sends `Greeting`, `Go` and `Committed`. The other workers send `At`, `Done` and `Bad`. The parent itself sends
`WorkerEnded`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from node_runtime.protocol.clip import clip

MAX_TEXT: Final = 600
"""Characters of each text in a message. A line has to fit into one atomic write to a pipe, which is 4,096 bytes."""
MAX_LINE_BYTES: Final = 4000


VERSION: Final = 1
"""The version of these messages. If the messages of a worker have another version, the worker runs another runtime.

Such a worker is restarted. It then boots the release of worker 1, which contains the same runtime. `Greeting` and `At`
contain the version, so a runtime of any version must be able to read them.
"""


class WorkerStruct(msgspec.Struct, frozen=True, tag=True):
    """The base class of the messages. Unknown fields, which a newer node_runtime may have sent, are ignored."""


class Greeting(WorkerStruct, frozen=True):
    """Worker 1 is ready, and asks each other worker for its release and OS pid."""

    version: int = VERSION


class Go(WorkerStruct, frozen=True):
    """Change to release `vsn` while running, as a part of the operation `id`.

    `wait` is how many seconds the worker may wait for temporary blockers; see `Install`.
    """

    id: str
    vsn: str
    who: str
    reason: str | None = None
    wait: float = 0.0
    unrehearsed: bool = False


class Committed(WorkerStruct, frozen=True):
    """The current release is permanent now."""


class At(WorkerStruct, frozen=True):
    """The worker runs release `vsn` as process `os_pid`.

    The process has booted release `booted`, and may still use files of that release.
    """

    vsn: str
    os_pid: int
    booted: str = ""
    version: int = VERSION


class Done(WorkerStruct, frozen=True):
    """The worker's part of the operation `id` has ended; `error` says why it failed, or is empty."""

    id: str
    vsn: str
    error: str = ""


class Bad(WorkerStruct, frozen=True):
    """The health of the release on probation is bad in the worker; `why` is a clause."""

    why: str


class WorkerEnded(WorkerStruct, frozen=True):
    """The worker has ended; `why` is a sentence, or empty if the end was requested."""

    why: str


WorkerMessage: TypeAlias = Greeting | Go | Committed | At | Done | Bad | WorkerEnded


def encode(message: WorkerMessage) -> str:
    """Return the message as a line without its end of line. Texts of more than MAX_TEXT characters are clipped."""
    line = msgspec.json.encode(_clipped(message, MAX_TEXT))
    if len(line) > MAX_LINE_BYTES:  # some characters take several bytes
        line = msgspec.json.encode(_clipped(message, MAX_TEXT // 6))
    return line.decode()


def _clipped(message: WorkerMessage, limit: int) -> WorkerMessage:
    texts = {name: getattr(message, name) for name in message.__struct_fields__}
    clipped = {name: clip(value, limit) for name, value in texts.items() if isinstance(value, str)}
    return msgspec.structs.replace(message, **clipped)


def decode(line: bytes) -> WorkerMessage:
    """Return the message of a line. Raises msgspec.DecodeError."""
    message: WorkerMessage = msgspec.json.decode(line, type=WorkerMessage)
    return message
