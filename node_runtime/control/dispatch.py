"""Dispatches requests: checks role and parameters, writes the audit log, calls the method's handler, and replies.

There is one table of methods. An unknown method and a method that the caller's role may not call get the same reply, so
a viewer's cookie reveals nothing about the operators' methods. The role of each request is that of the connection's
key.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, assert_never

import msgspec

from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.key_ring import RingKey
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import MAX_REPLY_BYTES, MalformedMessage, pack, unpack

from .audit.entries import MAX_FIELD_CHARACTERS
from .loop_bridge import LoopBridge
from .peer import Peer
from .security import Security
from .sockets import ControlSockets

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

MAX_KNOWN_CALLERS: Final = 1000
"""The number of connections whose callers are remembered. Beyond it, the least recently used one is forgotten."""
_ROLE_RANK: Final[dict[m.Role, int]] = {"viewer": 0, "operator": 1}

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(slots=True)
class Caller:
    """The client of a connection. Its key determines `name` and `role`; who it says that it is, is only a `claim`."""

    name: str
    role: m.Role
    address: str
    claim: str = ""


@dataclass(frozen=True, slots=True)
class MethodEntry(Generic[P, R]):
    """One entry of the method table: the handler of `method`, and the thread that runs it.

    `where` is where the handler runs. "control" is the control thread, for a quick and thread-safe handler. "loop" is
    the event loop; the handler may be async. "slices" is the event loop, too; the handler is a generator, and other
    callbacks run at each `yield`. "worker" is a separate thread, for a slow handler. If the event loop is blocked,
    `fallback` replies from the control thread; its last argument is a clause that says where the loop is blocked.
    A method with a `subject` is written to the audit log; `subject(params)` is the object of the change. If
    `audit_required` is false, the method runs even if the audit log can't be written.
    """

    method: Method[P, R]
    handler: Callable[[Caller, P], Any]
    where: Literal["control", "loop", "slices", "worker"] = "control"
    subject: Callable[[P], str] | None = None
    fallback: Callable[[Caller, P, str], R] | None = None
    audit_required: bool = True


class Dispatcher:
    """Receives requests in the control thread and replies to each exactly once."""

    def __init__(
        self,
        entries: Iterable[MethodEntry[Any, Any]],
        sockets: ControlSockets,
        bridge: LoopBridge,
        security: Security,
        name: str,
    ) -> None:
        self._entries = {entry.method.name: entry for entry in entries}
        self._sockets = sockets
        self._bridge = bridge
        self._audit = security.audit
        self._keys = security.keys
        self._refusals = security.refusals
        self._name = name
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="node_runtime.control.worker")

    def close(self) -> None:
        """Cancel the handlers that wait for a worker thread; running ones continue."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def take(self, peer: Peer, body: bytes) -> None:
        """Handle one request."""
        try:
            request = unpack(body, m.Request)
        except MalformedMessage:
            self._reply(
                peer,
                m.Reply(
                    id=0,
                    failure=_error_reply(
                        Refused(
                            "The message is not a request of this protocol; use the hotdash that came with the node."
                        )
                    ),
                ),
            )
            return
        holder = self._keys.holder(peer.key)
        if holder is None:
            self._refuse_key(peer, request.id)
            return
        _PendingRequest(self, peer, self._caller(peer, holder), request.id).begin(request)

    def _refuse_key(self, peer: Peer, number: int) -> None:
        """Refuse a request whose key has been valid when the connection was made."""
        known = self._keys.known(peer.key)
        name = "" if known is None else known.name
        whose = f"The key of {name}" if name else "This key"
        sentence = f"{whose} is revoked or expired; ask the owner of {self._name} for a new cookie."
        self._reply(peer, m.Reply(id=number, failure=_error_reply(Refused(sentence, ExitCode.NOT_ALLOWED))))
        self._callers.pop(peer.routing_id, None)
        self._refusals.note_login(peer.address, name)

    def _caller(self, peer: Peer, holder: RingKey) -> Caller:
        caller = self._callers.get(peer.routing_id)
        if caller is None or (caller.name, caller.role) != (holder.name, holder.role):  # a client can choose its id
            caller = self._callers[peer.routing_id] = Caller(holder.name, holder.role, peer.address)
            if len(self._callers) > MAX_KNOWN_CALLERS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(peer.routing_id)
        return caller

    def _reply(self, peer: Peer, reply: m.Reply) -> None:
        if not self._sockets.reply(peer.routing_id, pack(reply)):
            self._callers.pop(peer.routing_id, None)


class _PendingRequest:
    """A request that has no reply yet. Everything except the handler runs in the control thread."""

    def __init__(self, dispatch: Dispatcher, peer: Peer, caller: Caller, number: int) -> None:
        self._dispatch = dispatch
        self._peer = peer
        self._caller = caller
        self._number = number
        self._entry: MethodEntry[Any, Any] | None = None
        self._intent: m.AuditEntry | None = None

    def begin(self, request: m.Request) -> None:
        try:
            entry = self._permitted(request.method)
            params = self._params(entry, request)
            self._write_intent(entry, params)
        except Exception as error:
            self._finish(None, error)
            return
        self._entry = entry
        self._run_handler(entry, params)

    def _permitted(self, name: str) -> MethodEntry[Any, Any]:
        entry = self._dispatch._entries.get(name)
        role = self._caller.role
        if entry is None or _ROLE_RANK[role] < _ROLE_RANK[entry.method.role]:
            self._note_refusal(shown(name[:40]))
            raise Refused(
                f"{self._dispatch._name} has no method {shown(name[:40])!r} for the role {role}; "
                f"an operator needs the cookie that `bin/<name> cookie --role operator` prints.",
                ExitCode.NOT_ALLOWED,
            )
        return entry

    def _note_refusal(self, method: str) -> None:
        caller = self._caller
        refused = "refused: the role may not do this, or there is no such method"
        self._dispatch._refusals.note_request(
            m.AuditEntry(
                at=time.time(), who=caller.name, role=caller.role, peer=caller.address, method=method, subject="",
                phase="event", claim=caller.claim, outcome=refused,
            )
        )  # fmt: skip

    def _params(self, entry: MethodEntry[Any, Any], request: m.Request) -> m.WireStruct:
        try:
            params: m.WireStruct = unpack(request.params, entry.method.params)
        except MalformedMessage as error:
            raise Refused(
                f"{self._dispatch._name} can't decode the parameters of {entry.method.name!r} ({error}); "
                f"use the hotdash that came with the node: `bin/<name> attach`."
            ) from None
        reason = getattr(params, "reason", None)
        if reason is not None and len(reason) > (limit := MAX_FIELD_CHARACTERS["reason"]):
            raise Refused(f"The reason has {len(reason):,} characters (limit {limit}); shorten it.")
        return params

    def _write_intent(self, entry: MethodEntry[Any, Any], params: m.WireStruct) -> None:
        if entry.subject is None:
            return
        intent = m.AuditEntry(
            at=time.time(),
            who=self._caller.name,
            role=self._caller.role,
            peer=self._peer.address,
            method=entry.method.name,
            subject=entry.subject(params),
            phase="intent",
            claim=self._caller.claim,
            reason=getattr(params, "reason", None),
            plan_id=getattr(params, "plan_id", None),
        )
        try:
            self._dispatch._audit.write(intent)
        except Refused as error:
            if entry.audit_required:
                raise Refused(f"{error.sentence} Nothing was done.") from None
            logger.error("%s", error.sentence)
        self._intent = intent

    def _run_handler(self, entry: MethodEntry[Any, Any], params: m.WireStruct) -> None:
        caller, fallback = self._caller, entry.fallback
        in_control_thread = None if fallback is None else lambda clause: fallback(caller, params, clause)
        bridge = self._dispatch._bridge
        match entry.where:
            case "control":
                self._finish(*_result_of(lambda: entry.handler(caller, params)))
            case "loop":
                bridge.ask(lambda: entry.handler(caller, params), self._finish, in_control_thread)
            case "slices":
                bridge.ask_in_slices(lambda: entry.handler(caller, params), self._finish, in_control_thread)
            case "worker":
                self._dispatch._workers.submit(self._in_worker, entry, params)
            case where:
                assert_never(where)

    def _in_worker(self, entry: MethodEntry[Any, Any], params: m.WireStruct) -> None:
        result, error = _result_of(lambda: entry.handler(self._caller, params))
        self._dispatch._sockets.run(lambda: self._finish(result, error))

    def _finish(self, result: Any, error: BaseException | None) -> None:
        reply = self._answer(result, error)
        self._write_outcome(reply, result)
        self._dispatch._reply(self._peer, reply)

    def _answer(self, result: Any, error: BaseException | None) -> m.Reply:
        if error is None:
            try:
                packed = pack(result)
            except (TypeError, ValueError, OverflowError) as unsendable:
                error = unsendable
            else:
                if len(packed) <= MAX_REPLY_BYTES:
                    return m.Reply(id=self._number, result=packed)
                error = Refused(f"The reply has {len(packed):,} bytes (limit {MAX_REPLY_BYTES:,}), so it was not sent.")
        if not isinstance(error, Refused):
            logger.error("a request failed", exc_info=error)
            method = self._entry.method.name if self._entry is not None else "the request"
            error = Refused(f"{method} failed on {self._dispatch._name} ({type(error).__name__}); see the node's log.")
        return m.Reply(id=self._number, failure=_error_reply(error))

    def _write_outcome(self, reply: m.Reply, result: Any) -> None:
        if self._intent is None:
            return
        if reply.failure is not None:
            outcome = f"refused: {reply.failure.sentence}"
        elif isinstance(result, m.OperationStarted):
            outcome = f"started operation {result.operation}"
        elif isinstance(result, m.Operation):
            outcome = result.outcome or result.phase
        elif isinstance(result, m.ReleaseInfo):
            outcome = f"staged {result.vsn}, {signature_text(result)}"
        else:
            outcome = "done"
        try:
            self._dispatch._audit.write(
                msgspec.structs.replace(self._intent, at=time.time(), phase="outcome", outcome=outcome)
            )
        except Refused as error:
            logger.error("%s", error.sentence)  # the change is done, so the reply must be sent


def signature_text(release: m.ReleaseInfo) -> str:
    """Return a clause that says who has signed a release, for events and the audit log."""
    signature = release.signature
    if signature.standing == "unsigned":
        return "unsigned"
    return f"signed by {signature.signed_by} ({signature.key}), build {signature.build}"


def _result_of(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _error_reply(error: Refused) -> m.ErrorReply:
    return m.ErrorReply(code=int(error.code), sentence=shown(error.sentence), operation=error.operation)
