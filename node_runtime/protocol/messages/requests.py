"""Parameters of the methods, results that only one method returns, and the envelopes of requests and replies."""

from __future__ import annotations

from .node import NodeEvent, ReleaseInfo
from .operations import AuditEntry, Operation
from .struct import Direction, Seconds, WireStruct


class Empty(WireStruct, frozen=True):
    """No parameters, or no result."""


class Hello(WireStruct, frozen=True):
    """The first request of a client: its protocol version, the program's name and the user's name."""

    protocol: int
    client: str
    user: str


class GetState(WireStruct, frozen=True):
    """The request for the state of one process."""

    pid: int


class StageBegin(WireStruct, frozen=True):
    """The start of an upload of `size` bytes with the hash `sha256`.

    `signature` is the content of the tarball's signature file, if there is one beside it.
    """

    file_name: str
    size: int
    sha256: str
    signature: bytes | None = None


class StageChunk(WireStruct, frozen=True):
    """A chunk of an upload: the bytes that begin at `offset`."""

    upload: str
    offset: int
    data: bytes


class StageEnd(WireStruct, frozen=True):
    """The end of an upload: the node verifies and unpacks the tarball.

    If `allow_older` is true, the node also accepts a build that is older than its newest committed build.
    """

    upload: str
    allow_older: bool = False


class Upload(WireStruct, frozen=True):
    """The id of an upload that has begun."""

    upload: str


class MakePlan(WireStruct, frozen=True):
    """The request for the plan of an install of `vsn`."""

    vsn: str


class InstallOptions(WireStruct, frozen=True, kw_only=True):
    """The operator's choices for an install, shared by the command line, the dashboard and `Install`.

    `wait` is the number of seconds to wait for transient blockers to disappear. With `unrehearsed`, the install
    proceeds even if a code_change can't be rehearsed. With `again`, the install proceeds even if the release has failed
    on this node. With `cold`, the node restarts into the release, which is then on probation; all states are lost.
    `reason` is written to the audit log.
    """

    wait: Seconds = 0.0
    reason: str | None = None
    unrehearsed: bool = False
    again: bool = False
    cold: bool = False


class Install(InstallOptions, frozen=True):
    """The request to install `vsn`. The plan with the id `plan_id`, if given, must still be valid."""

    vsn: str
    direction: Direction | None = None
    plan_id: str | None = None


class OperationStarted(WireStruct, frozen=True):
    """The id of the started operation. A client follows the operation by events or by the method `operation`."""

    operation: str


class GetOperation(WireStruct, frozen=True):
    """The request for one operation by its id, or for the newest operation."""

    operation: str | None = None


class ReleaseVsn(WireStruct, frozen=True):
    """The version of one release."""

    vsn: str


class Commit(WireStruct, frozen=True):
    """The request to make the current release permanent."""

    reason: str | None = None


class Rollback(WireStruct, frozen=True):
    """The request to go back from the current to the permanent release.

    For the fields see InstallOptions.
    """

    wait: Seconds = 0.0
    reason: str | None = None
    unrehearsed: bool = False


class Abort(WireStruct, frozen=True):
    """The request to end the running operation before it changes the node; with an id, only that operation."""

    operation: str | None = None
    reason: str | None = None


class ProcessTarget(WireStruct, frozen=True):
    """A process, by its identity. The node refuses the request if it has no live process with this identity."""

    pid: int
    boot_id: str
    reason: str | None = None


class ListLimit(WireStruct, frozen=True):
    """The request for the newest items of a list: at most `limit` items, newest last."""

    limit: int = 100


class StopNode(WireStruct, frozen=True):
    """The request to shut the node down; with `restart`, the parent process then boots the permanent release."""

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


class Subscription(WireStruct, frozen=True):
    """The answer to a subscription: from now on, the client gets all events whose numbers are greater than `seq`."""

    seq: int


class Request(WireStruct, frozen=True):
    """The envelope of a request: its id, the name of the method, and the method's parameters, packed."""

    id: int
    method: str
    params: bytes


class ErrorReply(WireStruct, frozen=True):
    """A refusal: `code` is the exit code for the command line; `sentence` names the cause and the remedy.

    If only the client's budget is used up, `retry_after` is the number of seconds until the budget is large enough.
    """

    code: int
    sentence: str
    operation: str | None = None
    retry_after: float | None = None


class Reply(WireStruct, frozen=True):
    """The envelope of a reply or of an event.

    A reply has the `id` of its request, and either the packed `result` or a `failure`. An event is packed in `event`,
    and its `id` is 0. After `subscribe` and until `unsubscribe`, the node sends events to the client, over the same
    connection as its replies.
    """

    id: int
    result: bytes | None = None
    failure: ErrorReply | None = None
    event: bytes | None = None
