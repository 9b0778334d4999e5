"""Random servers, run by OTP's gen_server and by ours: the same callbacks, replies and exit reasons.

Each message says what the server does with it, and the server records each callback. The driver is the parent.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from node_runtime import (
    EXIT,
    Exit,
    From,
    GenServer,
    Ignore,
    NoProcess,
    Pid,
    Runtime,
    Stop,
    call,
    cast,
    deferred,
    gen_server,
    receive,
    reply,
    send,
    spawn,
    sys,
    trap_exit,
    unlink,
    until_ended,
)
from node_runtime import exit as send_exit
from tests.support.hypothesis_profiles import quiet
from tests.support.otp import CASES, as_json, erlang, needs_erlang, running_otp

__all__ = ["quiet"]

REASONS: tuple[Any, ...] = ("normal", "shutdown", ("shutdown", "why"), "other")


class Cases:
    """The random cases of one seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._ids = 0

    def case(self) -> tuple[Any, ...]:
        """Return whether the server traps exits, what `init` and `terminate` do, and the steps."""
        chance = self._chance
        begins: list[Any] = ["ok", ("continue", self._op()), ("stop", self._reason()), "ignore", "crash"]
        begin = chance.choices(begins, [20, 4, 1, 1, 1])[0]
        terminate = chance.choices(["ok", "crash", ("exit", self._reason())], [6, 1, 1])[0]
        return chance.random() < 0.5, begin, terminate, [self._step() for _ in range(chance.randint(1, 9))]

    def _reason(self) -> Any:
        return self._chance.choice(REASONS)

    def _step(self) -> Any:
        kinds = ["call", "cast", "info", "parent_exit", "stranger_exit", "stop", "suspend", "resume", "state"]
        kind = self._chance.choices(kinds, [8, 4, 4, 1, 2, 0.5, 1, 1.5, 2])[0]
        match kind:
            case "call":
                return kind, ("defer", self._number()) if self._chance.random() < 0.2 else self._op()
            case "cast" | "info":
                return kind, self._op()
            case "stop":
                return kind, self._reason()
            case "parent_exit" | "stranger_exit":
                return kind, self._chance.choice([*REASONS, "normal", "kill"])
        return kind

    def _number(self) -> int:
        self._ids += 1
        return self._ids

    def _op(self) -> tuple[Any, ...]:
        number = self._number()
        kinds = ["reply", "answer", "stop", "stop_reply", "crash", "exit", "continue", "trap"]
        kind = self._chance.choices(kinds, [8, 4, 0.7, 0.7, 0.4, 0.4, 2, 1])[0]
        match kind:
            case "stop" | "stop_reply" | "exit":
                return kind, number, self._reason()
            case "continue":
                return kind, number, self._op()
            case "trap":
                return kind, number, self._chance.random() < 0.5
        return kind, number


# ------------------------------------------------------------------ ours


class Server(GenServer[dict[str, Any]]):
    """Records each callback, and does what its message says."""

    def init(self, traps: bool, begin: Any, terminate: Any, log: list[Any]) -> dict[str, Any]:
        trap_exit(traps)
        match begin:
            case ("continue", op):
                gen_server.continue_with(op)
            case ("stop", reason):
                raise Stop(reason)
            case "ignore":
                raise Ignore
            case "crash":
                raise ValueError("oops")
        return {"log": log, "count": 0, "waiting": [], "terminate": terminate}

    def ask(self, op: tuple[Any, ...]) -> Any:
        return self._act("call", op, asked=True)

    def tell(self, op: tuple[Any, ...]) -> None:
        self._act("cast", op)

    @deferred
    def defer(self, from_: From[int], op: tuple[Any, ...]) -> None:
        self._note("call", *op)
        self.state["waiting"].append(from_)

    def handle_info(self, message: Any) -> None:
        if isinstance(message, EXIT):
            self._note("exit", _reason(message.reason))
        else:
            self._act("info", message)

    def handle_continue(self, op: tuple[Any, ...]) -> None:
        self._act("continue", op)

    def terminate(self, reason: object) -> None:
        self._note("terminate", _reason(reason))
        match self.state["terminate"]:
            case "crash":
                raise ValueError("oops")
            case ("exit", other):
                raise Stop(other)

    def _note(self, *entry: Any) -> None:
        self.state["log"].append(entry)
        self.state["count"] += 1

    def _act(self, kind: str, op: tuple[Any, ...], *, asked: bool = False) -> int:
        self._note(kind, *op[:2])
        match op:
            case ("answer", number) if self.state["waiting"]:
                reply(self.state["waiting"].pop(0), number)
            case ("stop", _, reason) | ("exit", _, reason):
                raise Stop(reason)
            case ("stop_reply", reply_to, reason):
                raise Stop(reason, reply=reply_to) if asked else Stop(reason)
            case ("crash", _):
                raise ValueError("oops")
            case ("continue", _, following):
                gen_server.continue_with(following)
            case ("trap", _, traps):
                trap_exit(traps)
        answer: int = op[1]
        return answer


def _reason(reason: object) -> object:
    if isinstance(reason, NoProcess):
        return "noproc"
    if isinstance(reason, Exit):
        return _reason(reason.reason)
    return "crash" if isinstance(reason, ValueError) else reason


async def ours(case: tuple[Any, ...]) -> list[Any]:
    """Run a case here, and return how the server began, its callbacks, the results of the steps, and its end."""
    traps, begin, terminate, steps = case
    log: list[Any] = []
    found: list[Any] = []

    async def drive() -> None:
        trap_exit(True)
        try:
            pid = await gen_server.start_link(Server, traps, begin, terminate, log)
        except Ignore:
            found.extend(["ignore", log, [], "none"])
            return
        except Exit as failed:
            found.extend([["error", _reason(failed)], log, [], "none"])
            return
        await settled()
        results = []
        for step in steps:
            results.append(await _step(pid, step))
            await settled()
        ended: Any = "none"
        with_exit = await _mail()
        if with_exit:
            ended = ["ended", _reason(with_exit[-1].reason)]
        unlink(pid)
        send_exit(pid, "kill")
        await settled()
        found.extend(["ok", log, [_result(result) for result in results], ended])

    assert await until_ended(spawn(drive)) == "normal"
    return found


async def _mail() -> list[Any]:
    mail = []
    try:
        while True:
            mail.append(await receive(0))
    except TimeoutError:
        return mail


async def _step(pid: Pid, step: Any) -> Any:
    match step:
        case ("call", ("defer", *_) as op):
            return asyncio.ensure_future(call(pid, Server.defer, op))
        case ("call", op):
            return asyncio.ensure_future(call(pid, Server.ask, op))
        case ("cast", op):
            cast(pid, Server.tell, op)
        case ("info", op):
            send(pid, op)
        case ("parent_exit", reason):
            send_exit(pid, reason)
        case ("stranger_exit", reason):
            await until_ended(spawn(_exits, pid, reason))
        case ("stop", reason):
            try:
                await gen_server.stop(pid, reason)
            except Exit as other:
                return ["stopped", _reason(other)]
        case "suspend" | "resume" | "state":
            return await _or_gone(pid, step)
    return "ok"


async def _exits(pid: Pid, reason: object) -> None:
    send_exit(pid, reason)


async def _or_gone(pid: Pid, request: str) -> Any:
    try:
        if request == "suspend":
            await sys.suspend(pid)
        elif request == "resume":
            sys.resume(pid)
        else:
            return (await sys.get_state(pid))["count"]
    except Exit:
        return "gone"
    return "ok"


def _result(result: Any) -> Any:
    if not isinstance(result, asyncio.Future):
        return result
    if not result.done():
        result.cancel()
        return "none"
    error = result.exception()
    return ["reply", result.result()] if error is None else ["error", _reason(error)]


async def settled() -> None:
    """Let the server handle all that it can."""
    for _ in range(6):
        await asyncio.sleep(0)


@needs_erlang
async def test_random_servers_do_the_same_as_in_otp() -> None:
    with running_otp(Path(__file__).with_name("servers.escript")) as otp:
        async with Runtime():
            for seed in range(CASES):
                case = Cases(seed).case()
                theirs = otp.ask(erlang(case))
                assert as_json(await ours(case)) == theirs, (seed, case)
