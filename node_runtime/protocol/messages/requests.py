"""Parameters of the methods, results that only one method returns, and the envelopes of requests and replies."""

from __future__ import annotations

from .node import NodeEvent, ReleaseInfo
from .operations import AuditEntry, Operation
from .struct import Direction, WireStruct


class Empty(WireStruct, frozen=True):
    """No parameters, or no result."""


class Hello(WireStruct, frozen=True):
    """The first request of a client: its protocol version, the program's name and the user's name."""

    protocol: int
    client: str
    user: str


class GetState(WireStruct, frozen=True):
    """Request the state of one process."""

    pid: int


class StageBegin(WireStruct, frozen=True):
    """Open an upload of `size` bytes that hash to `sha256`."""

    file_name: str
    size: int
    sha256: str


class StageChunk(WireStruct, frozen=True):
    """The bytes of an upload from `offset` on."""

    upload: str
    offset: int
    data: bytes


class StageEnd(WireStruct, frozen=True):
    """Close an upload: verify and unpack the tarball."""

    upload: str


class Upload(WireStruct, frozen=True):
    """An open upload."""

    upload: str


class MakePlan(WireStruct, frozen=True):
    """Request a plan of going to `vsn`."""

    vsn: str


class InstallOptions(WireStruct, frozen=True, kw_only=True):
    """The operator's choices for an install, shared by the command line, the dashboard and `Install`.

    `wait` is how many seconds transient blockers may take. `unrehearsed` proceeds although some code_change
    can't be rehearsed. `again` proceeds although the release has failed on this node. `reason` is for the audit.
    """

    wait: float = 0.0
    reason: str | None = None
    unrehearsed: bool = False
    again: bool = False


class Install(InstallOptions, frozen=True):
    """Installs `vsn`. The plan with the id `plan_id`, if given, must still be valid."""

    vsn: str
    direction: Direction | None = None
    plan_id: str | None = None


class OperationStarted(WireStruct, frozen=True):
    """The id of the operation that was started; follow it by events or by the method `operation`."""

    operation: str


class GetOperation(WireStruct, frozen=True):
    """Request one operation by its id, or the newest one."""

    operation: str | None = None


class ReleaseVsn(WireStruct, frozen=True):
    """The version of one release."""

    vsn: str


class Commit(WireStruct, frozen=True):
    """Make the current release permanent."""

    reason: str | None = None


class Rollback(WireStruct, frozen=True):
    """Go back from the current release to the permanent one by its own way down. For the fields see Install."""

    wait: float = 0.0
    reason: str | None = None
    unrehearsed: bool = False


class ProcessTarget(WireStruct, frozen=True):
    """A process, by its identity. The node refuses if the pid and the boot id do not name a live process."""

    pid: int
    boot_id: str
    reason: str | None = None


class ListLimit(WireStruct, frozen=True):
    """The maximum number of items; the result has the newest ones, newest last."""

    limit: int = 100


class StopNode(WireStruct, frozen=True):
    """Shut the node down; with `restart`, the parent starts the permanent release again."""

    restart: bool = False
    reason: str | None = None


class ReleaseList(WireStruct, frozen=True):
    """The releases of the node's directory."""

    releases: tuple[ReleaseInfo, ...]


class OperationList(WireStruct, frozen=True):
    """Past and running operations, newest last."""

    operations: tuple[Operation, ...]


class AuditList(WireStruct, frozen=True):
    """The newest entries of the audit log, newest last."""

    entries: tuple[AuditEntry, ...]


class EventList(WireStruct, frozen=True):
    """The newest events, newest last."""

    events: tuple[NodeEvent, ...]


class Request(WireStruct, frozen=True):
    """The envelope of a request: its id, the name of the method, and the method's parameters, packed."""

    id: int
    method: str
    params: bytes


class ErrorReply(WireStruct, frozen=True):
    """A refusal: `code` is the exit code of the command line; `sentence` names the cause and the remedy."""

    code: int
    sentence: str
    operation: str | None = None


class Reply(WireStruct, frozen=True):
    """The envelope of a reply: either `result`, packed, or `failure`."""

    id: int
    result: bytes | None = None
    failure: ErrorReply | None = None
