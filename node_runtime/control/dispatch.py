"""From the bytes of a request to the bytes of its answer: who may, with what, where it is done, and who did it.

There is one table. A method that is not in it and a method that the caller's role may not use answer alike, so that a
viewer's cookie tells nothing about what an operator could do. The role comes from the connection's key, at each
request anew.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from node_runtime.behaviours.show.value_readers import escape
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import MAX_REPLY, Malformed, pack, unpack

from .audit_log import Audit
from .loop_bridge import Turns
from .sockets import Endpoint, Peer

P = TypeVar("P", bound=m.Struct)
R = TypeVar("R", bound=m.Struct)

CALLERS: Final = 1000
RANK: Final[dict[m.Role, int]] = {"viewer": 0, "operator": 1}

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(slots=True)
class Caller:
    """Who is at the other end: `role` and `address` are certain, `user` is what he says."""

    role: m.Role
    address: str
    user: str = ""

    @property
    def who(self) -> str:
        """For the audit and for operations."""
        return self.user or f"somebody with the {self.role}'s cookie"


@dataclass(frozen=True, slots=True)
class Entry(Generic[P, R]):
    """One line of the table: what answers `method`, and in which thread.

    "control" is the control thread, for what is quick and safe beside the event loop; "loop" the event loop, where
    the handler may be async; "slices" the same for a handler that is a generator and lets the loop run at each `yield`;
    "worker" a thread for what takes long. `otherwise`, given the sentence that says where the loop is blocked, answers
    in the control thread when the loop doesn't. A method with `subject` is audited; one that is a `remedy` is done also
    where the disk doesn't take that.
    """

    method: Method[P, R]
    handler: Callable[[Caller, P], Any]
    where: Literal["control", "loop", "slices", "worker"] = "control"
    subject: Callable[[P], str] | None = None
    otherwise: Callable[[Caller, P, str], R] | None = None
    remedy: bool = False


class Dispatch:
    """Takes requests in the control thread and sees to it that each is answered once."""

    def __init__(
        self, entries: Iterable[Entry[Any, Any]], endpoint: Endpoint, turns: Turns, audit: Audit, name: str
    ) -> None:
        self._entries = {entry.method.name: entry for entry in entries}
        self._endpoint = endpoint
        self._turns = turns
        self._audit = audit
        self._name = name
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="node_runtime.control.worker")

    def close(self) -> None:
        """Begin no more work in workers."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def take(self, peer: Peer, body: bytes) -> None:
        """Serve one request."""
        try:
            request = unpack(body, m.Request)
        except Malformed:
            self._reply(peer, m.Reply(id=0, failure=_failure(Refused("That is not a request of this protocol."))))
            return
        _Deed(self, peer, self._caller(peer), request.id).begin(request)

    def _caller(self, peer: Peer) -> Caller:
        caller = self._callers.get(peer.routing_id)
        if caller is None:
            caller = self._callers[peer.routing_id] = Caller(peer.role, peer.address)
            if len(self._callers) > CALLERS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(peer.routing_id)
        return caller

    def _reply(self, peer: Peer, reply: m.Reply) -> None:
        if not self._endpoint.reply(peer.routing_id, pack(reply)):
            self._callers.pop(peer.routing_id, None)


class _Deed:
    """One request being answered. All but the handler itself runs in the control thread."""

    def __init__(self, dispatch: Dispatch, peer: Peer, caller: Caller, number: int) -> None:
        self._dispatch = dispatch
        self._peer = peer
        self._caller = caller
        self._number = number
        self._entry: Entry[Any, Any] | None = None
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
        self._carry_out(entry, params)

    def _permitted(self, name: str) -> Entry[Any, Any]:
        entry = self._dispatch._entries.get(name)
        if entry is None or RANK[self._peer.role] < RANK[entry.method.role]:
            raise Refused(
                f"{self._dispatch._name} does not do {escape(name[:40])!r} for a {self._peer.role}; "
                f"if it needs another role, use the cookie that `bin/<name> cookie --role operator` prints.",
                ExitCode.NOT_ALLOWED,
            )
        return entry

    def _params(self, entry: Entry[Any, Any], request: m.Request) -> m.Struct:
        try:
            params: m.Struct = unpack(request.params, entry.method.params)
        except Malformed as error:
            raise Refused(
                f"The parameters of {entry.method.name!r} make no sense to {self._dispatch._name} ({error}); "
                f"use the hotdash that came with it: `bin/<name> attach`."
            ) from None
        return params

    def _write_intent(self, entry: Entry[Any, Any], params: m.Struct) -> None:
        if entry.subject is None:
            return
        intent = m.AuditEntry(
            at=time.time(),
            who=self._caller.who,
            role=self._peer.role,
            peer=self._peer.address,
            method=entry.method.name,
            subject=escape(entry.subject(params)),
            phase="intent",
            reason=getattr(params, "reason", None),
            plan_id=getattr(params, "plan_id", None),
        )
        try:
            self._dispatch._audit.write(intent)
        except Refused as full:
            if not entry.remedy:
                raise
            logger.error("%s", full.sentence)
        self._intent = intent

    def _carry_out(self, entry: Entry[Any, Any], params: m.Struct) -> None:
        caller, otherwise = self._caller, entry.otherwise
        if entry.where in ("loop", "slices"):
            aside = None if otherwise is None else lambda sentence: otherwise(caller, params, sentence)
            turns = self._dispatch._turns
            ask = turns.ask if entry.where == "loop" else turns.ask_in_slices
            ask(lambda: entry.handler(caller, params), self._finish, aside)
        elif entry.where == "worker":
            self._dispatch._workers.submit(self._in_worker, entry, params)
        else:
            self._finish(*_tried(lambda: entry.handler(caller, params)))

    def _in_worker(self, entry: Entry[Any, Any], params: m.Struct) -> None:
        result, error = _tried(lambda: entry.handler(self._caller, params))
        self._dispatch._endpoint.run(lambda: self._finish(result, error))

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
                if len(packed) <= MAX_REPLY:
                    return m.Reply(id=self._number, result=packed)
                error = Refused(f"The answer is too large to be sent: {len(packed):,} bytes.")
        if not isinstance(error, Refused):
            logger.error("a request failed", exc_info=error)
            method = self._entry.method.name if self._entry is not None else "the request"
            error = Refused(
                f"{self._dispatch._name} failed to do {method} ({type(error).__name__}); its log says more."
            )
        return m.Reply(id=self._number, failure=_failure(error))

    def _write_outcome(self, reply: m.Reply, result: Any) -> None:
        if self._intent is None:
            return
        if reply.failure is not None:
            outcome = f"refused: {reply.failure.sentence}"
        elif isinstance(result, m.Started):
            outcome = f"began operation {result.operation}"
        elif isinstance(result, m.Operation):
            outcome = result.outcome or result.phase
        else:
            outcome = "done"
        try:
            self._dispatch._audit.write(
                msgspec.structs.replace(self._intent, at=time.time(), phase="outcome", outcome=outcome)
            )
        except Refused as full:
            logger.error("%s", full.sentence)  # what was done is done, and has to be answered


def _tried(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _failure(error: Refused) -> m.Failure:
    return m.Failure(code=int(error.code), sentence=error.sentence, operation=error.operation)
