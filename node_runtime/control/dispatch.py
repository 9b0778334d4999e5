"""Dispatches requests: checks budget, role and parameters, writes the audit log, calls the handler, and replies.

There is one table of methods. An unknown method and a method that the caller's role may not call get the same reply, so
a viewer's cookie reveals nothing about the operators' methods. The key of the connection determines the role of each
request.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final, Generic, Literal, TypeVar, assert_never

import msgspec

from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import MAX_REPLY_BYTES, MalformedMessage, pack, unpack

from .audit.entries import MAX_FIELD_CHARACTERS
from .budgets import BYTES_PER_TOKEN, LOOP_TOKEN_SECONDS, TOKEN_SECONDS, Budgets
from .control_thread import ControlThread
from .loop_bridge import LoopBridge, LoopCall
from .peer import Peer
from .security import Security
from .shared_answers import Answer, AnswerCallback, SharedAnswers
from .work_meter import WorkMeter

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

MAX_KNOWN_CALLERS: Final = 1000
"""The maximum number of callers that are remembered in one role. Beyond it, the least recent caller is forgotten."""
WORKERS: Final[dict[m.Role, int]] = {"viewer": 1, "operator": 2}
"""The number of worker threads for the requests of each role."""
UNKNOWN_METHOD_COST: Final = 2
"""The cost, in tokens, of a request for a method that does not exist or that the role may not call."""
_NO_REQUEST: Final = "The message is not a request of this protocol; use the hotdash that came with the node."
_ROLE_RANK: Final[dict[m.Role, int]] = {"viewer": 0, "operator": 1}

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(slots=True)
class Caller:
    """The client of a connection. The key determines `name` and `role`; `claim` is the user that the client states."""

    name: str
    role: m.Role
    address: str
    connection: bytes
    claim: str = ""


@dataclass(frozen=True, slots=True)
class MethodEntry(Generic[P, R]):
    """One entry of the method table: the handler of `method`, and the thread that runs it.

    `where` is where the handler runs. "control" is the control thread, for a quick and thread-safe handler. "loop" is
    the event loop; the handler may be async. "slices" is also the event loop; the handler is then a generator, and
    other callbacks run at each `yield`. "worker" is a separate thread, for a slow handler. If the event loop is
    blocked, `fallback` replies from the control thread; its last argument is a clause that says where the loop is
    blocked. With "slices", `fallback` is also a generator, and the control thread handles other requests at each
    `yield`. A method with a `subject` is written to the audit log; `subject(params)` is the object of the change. If
    `audit_required` is false, the method runs even if the audit log can't be written. If it is true, the request is
    refused in this case, and `unaudited(params)` releases what the request refers to, such as an upload. If `shared`,
    clients of one role that send the same parameters at about the same time share one answer; then the answer must not
    depend on the client, except on its role.
    """

    method: Method[P, R]
    handler: Callable[[Caller, P], Any]
    where: Literal["control", "loop", "slices", "worker"] = "control"
    subject: Callable[[P], str] | None = None
    fallback: Callable[[Caller, P, str], Any] | None = None
    audit_required: bool = True
    unaudited: Callable[[P], object] | None = None
    shared: bool = False


class Dispatcher:
    """Receives requests in the control thread, and replies to each request once.

    There is one exception: a client that exceeds its budget, and doesn't wait for replies, gets no reply to some
    requests. When an operator's client has disconnected, `on_gone(routing_id)` is called.
    """

    def __init__(
        self,
        entries: Iterable[MethodEntry[Any, Any]],
        thread: ControlThread,
        bridge: LoopBridge,
        security: Security,
        name: str,
        on_gone: Callable[[bytes], None],
    ) -> None:
        self._entries = {entry.method.name: entry for entry in entries}
        self._thread = thread
        self._bridge = bridge
        self._audit = security.audit
        self._keys = security.keys
        self._refusals = security.refusals
        self._name = name
        self._on_gone = on_gone
        self._budgets = Budgets()
        self._shared = SharedAnswers(thread.later)
        self._callers: dict[m.Role, OrderedDict[bytes, Caller]] = {role: OrderedDict() for role in _ROLE_RANK}
        self._workers = {
            role: ThreadPoolExecutor(number, thread_name_prefix=f"node_runtime.control.{role}")
            for role, number in WORKERS.items()
        }

    def close(self) -> None:
        """Cancel the handlers that wait for a worker thread; handlers that run already continue."""
        for workers in self._workers.values():
            workers.shutdown(wait=False, cancel_futures=True)

    def take(self, peer: Peer, body: bytes) -> None:
        """Handle one request."""
        try:
            request = unpack(body, m.Request)
        except MalformedMessage:
            request = None
        holder = self._keys.holder(peer.key)
        name = peer.name if holder is None else holder.name
        role: m.Role = "viewer" if holder is None else holder.role
        if (name, role) != (peer.name, peer.role):  # the key has changed since the request arrived
            peer = msgspec.structs.replace(peer, name=name, role=role)
        entry = None if request is None else self._permitted(peer, request.method)
        number = 0 if request is None else request.id
        cost = UNKNOWN_METHOD_COST if entry is None else entry.method.cost
        urgent = entry is not None and entry.method.urgent
        shortage = self._budgets.take(peer, cost + len(body) / BYTES_PER_TOKEN, urgent=urgent)
        if shortage is not None:
            delay = self._budgets.refusal_delay(peer)
            if delay is not None:
                self._thread.later(delay, partial(self._refuse, peer, number, shortage.refusal))
        elif request is None:
            self._refuse(peer, number, Refused(_NO_REQUEST))
        elif holder is None:
            self._refuse_key(peer, number)
        elif entry is None:
            self._refuse_method(self._caller(peer), peer, request)
        else:
            _PendingRequest(self, peer, self._caller(peer), entry, number).begin(request.params)

    def forget(self, routing_id: bytes) -> None:
        """Forget the client of a connection that has ended."""
        for role, callers in self._callers.items():
            if callers.pop(routing_id, None) is not None:
                self._budgets.forget(routing_id)
                if role == "operator":
                    self._on_gone(routing_id)

    def _permitted(self, peer: Peer, method: str) -> MethodEntry[Any, Any] | None:
        """Return the entry of a method; None if it doesn't exist or the client's role may not call it."""
        entry = self._entries.get(method)
        permitted = entry is not None and _ROLE_RANK[peer.role] >= _ROLE_RANK[entry.method.role]
        return entry if permitted else None

    def _refuse_method(self, caller: Caller, peer: Peer, request: m.Request) -> None:
        """Refuse a request for a method that doesn't exist, or that the role may not call."""
        method = shown(request.method[:40])
        refused = "refused: the role may not do this, or there is no such method"
        self._refusals.note_request(
            m.AuditEntry(
                at=time.time(), who=caller.name, role=caller.role, peer=caller.address, method=method, subject="",
                phase="event", claim=caller.claim, outcome=refused,
            )
        )  # fmt: skip
        sentence = (
            f"{self._name} has no method {method!r} for the role {caller.role}; "
            f"an operator needs the cookie that `bin/<name> cookie --role operator` prints."
        )
        self._refuse(peer, request.id, Refused(sentence, ExitCode.NOT_ALLOWED))

    def _refuse_key(self, peer: Peer, number: int) -> None:
        """Refuse a request because the key, valid when the connection was made, has expired or was revoked."""
        known = self._keys.known(peer.key)
        name = "" if known is None else known.name
        whose = f"The key of {name}" if name else "This key"
        sentence = f"{whose} is revoked or expired; ask the owner of {self._name} for a new cookie."
        self._refuse(peer, number, Refused(sentence, ExitCode.NOT_ALLOWED))
        self.forget(peer.routing_id)
        self._refusals.note_login(peer.address, name)

    def _caller(self, peer: Peer) -> Caller:
        callers = self._callers[peer.role]
        caller = callers.get(peer.routing_id)
        if caller is None or caller.name != peer.name:
            caller = callers[peer.routing_id] = Caller(peer.name, peer.role, peer.address, peer.routing_id)
            if len(callers) > MAX_KNOWN_CALLERS:
                callers.popitem(last=False)
        callers.move_to_end(peer.routing_id)
        return caller

    def _refuse(self, peer: Peer, number: int, error: Refused) -> None:
        self._reply(peer, m.Reply(id=number, failure=_error_reply(error)))

    def _reply(self, peer: Peer, reply: m.Reply) -> None:
        if not self._thread.reply(peer.routing_id, pack(reply)):
            self.forget(peer.routing_id)


class _PendingRequest:
    """A request that has no reply yet. Everything except the handler runs in the control thread."""

    def __init__(
        self, dispatch: Dispatcher, peer: Peer, caller: Caller, entry: MethodEntry[Any, Any], number: int
    ) -> None:
        self._dispatch = dispatch
        self._peer = peer
        self._caller = caller
        self._entry = entry
        self._number = number
        self._intent: m.AuditEntry | None = None

    def begin(self, packed: bytes) -> None:
        """Handle the request. `packed` has its parameters, not yet decoded."""
        entry = self._entry
        try:
            params = self._params(entry, packed)
            self._write_intent(entry, params)
        except Exception as error:
            self._end(self._answer(None, error, WorkMeter()))
            return
        if entry.shared:
            question = self._peer.role, entry.method.name, params
            paused = self._peer.role == "viewer"
            self._dispatch._shared.ask(question, partial(self._run_handler, params), self._end, paused=paused)
        else:
            self._run_handler(params, self._end)

    def _params(self, entry: MethodEntry[Any, Any], packed: bytes) -> m.WireStruct:
        try:
            params: m.WireStruct = unpack(packed, entry.method.params)
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
                if entry.unaudited is not None:
                    entry.unaudited(params)
                raise Refused(f"{error.sentence} Nothing was done.") from None
            logger.error("%s", error.sentence)
        self._intent = intent

    def _run_handler(self, params: m.WireStruct, answered: AnswerCallback) -> None:
        """Run the handler in the thread that the method table names; then call `answered` in the control thread."""
        entry, caller, meter = self._entry, self._caller, WorkMeter()
        fallback = entry.fallback
        call = LoopCall(
            partial(meter.start, entry.handler, caller, params),
            lambda result, error: answered(self._answer(result, error, meter)),
            None if fallback is None else lambda clause: meter.start(fallback, caller, params, clause),
            self._peer.role,
            entry.method.urgent,
        )
        match entry.where:
            case "control":
                call.done(*_result_of(call.work))
            case "loop":
                self._dispatch._bridge.ask(call)
            case "slices":
                self._dispatch._bridge.ask_in_slices(call)
            case "worker":
                self._dispatch._workers[self._peer.role].submit(self._in_worker, call)
            case where:
                assert_never(where)

    def _in_worker(self, call: LoopCall) -> None:
        result, error = _result_of(call.work)
        self._dispatch._thread.run(lambda: call.done(result, error))

    def _answer(self, result: Any, error: BaseException | None, meter: WorkMeter) -> Answer:
        """Return the answer to the request."""
        packed: bytes | None = None
        if error is None:
            try:
                packed = meter.run(pack, result)
            except (TypeError, ValueError, OverflowError) as unsendable:
                error = unsendable
        charge = partial(self._charge, meter.seconds)
        if packed is not None and len(packed) > MAX_REPLY_BYTES:
            error = Refused(
                f"The reply has {len(packed):,} bytes (limit {MAX_REPLY_BYTES:,}), so it was not sent; "
                f"request less data at once."
            )
        if error is None:
            return Answer(packed, None, result, meter.seconds, charge)
        if not isinstance(error, Refused):
            logger.error("a request failed", exc_info=error)
            name = self._entry.method.name
            error = Refused(f"{name} failed on {self._dispatch._name} ({type(error).__name__}); see the node's log.")
        return Answer(None, _error_reply(error), None, meter.seconds, charge)

    def _charge(self, seconds: float) -> None:
        """Charge the client for the processor time of its request beyond the method's cost.

        Time on the event loop costs more, except in slices. A shared answer made in slices costs nothing, because a
        pause after the answer limits the work.
        """
        if self._entry.where != "slices" or not self._entry.shared:
            unit = LOOP_TOKEN_SECONDS if self._entry.where == "loop" else TOKEN_SECONDS
            self._dispatch._budgets.charge(self._peer, max(0.0, seconds / unit - self._entry.method.cost))

    def _end(self, answer: Answer) -> None:
        """Send the answer. A shared answer that is too large for this client's budget is replaced by a refusal."""
        failure = answer.failure
        size = len(answer.packed or b"") / BYTES_PER_TOKEN
        if not self._entry.shared:
            self._dispatch._budgets.charge(self._peer, size)
            answer.charge()
        elif (shortage := self._dispatch._budgets.take(self._peer, size)) is not None:
            failure = _error_reply(shortage.refusal)
        self._write_outcome(answer)
        packed = answer.packed if failure is None else None
        self._dispatch._reply(self._peer, m.Reply(id=self._number, result=packed, failure=failure))

    def _write_outcome(self, answer: Answer) -> None:
        if self._intent is None:
            return
        if answer.failure is not None:
            outcome = f"refused: {answer.failure.sentence}"
        elif isinstance(answer.result, m.OperationStarted):
            outcome = f"started operation {answer.result.operation}"
        elif isinstance(answer.result, m.Operation):
            outcome = answer.result.outcome or answer.result.phase
        elif isinstance(answer.result, m.ReleaseInfo):
            outcome = f"staged {answer.result.vsn}, {signature_text(answer.result)}"
        else:
            outcome = "done"
        try:
            self._dispatch._audit.write(
                msgspec.structs.replace(self._intent, at=time.time(), phase="outcome", outcome=outcome)
            )
        except Refused as error:
            logger.error("%s", error.sentence)  # the change is done: send the reply in spite of the error


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


@lru_cache(maxsize=256)
def _shown_sentence(sentence: str) -> str:
    """Return `sentence`, redacted. Results are cached, because a client may repeat a refused request many times."""
    return shown(sentence)


def _error_reply(error: Refused) -> m.ErrorReply:
    return m.ErrorReply(
        code=int(error.code),
        sentence=_shown_sentence(error.sentence),
        operation=error.operation,
        retry_after=error.retry_after,
    )
