"""Random state machines, run by OTP's gen_statem and by ours: the same events in the same states, in the same order.

Each event says what the machine does with it, and the machine records each event. A timeout fires at once or not at
all, so that no time has to pass.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from node_runtime import Cast, Enter, Event, GenStatem, Info, Internal, Next, Runtime, Timeout, gen_statem, send
from node_runtime import exit as send_exit
from tests.support.hypothesis_profiles import quiet
from tests.support.otp import CASES, Otp, as_json, erlang, needs_erlang, running_otp

__all__ = ["quiet"]

Spec = dict[str, Any]
TIMEOUTS = (("state", "state_timeout"), ("event", "timeout"), ("generic", "g1"), ("generic", "g2"))
LONG = 1000.0


class Cases:
    """The random cases of one seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._ids = 0

    def case(self) -> tuple[Any, Spec, list[tuple[str, Any]]]:
        """Return what the Enter events do, what `init` does, and the events from outside."""
        chance = self._chance
        enters = "none" if chance.random() < 0.3 else [self._enter() for _ in range(chance.randint(0, 6))]
        steps = [(chance.choice(["cast", "info"]), self._event(2)) for _ in range(chance.randint(1, 7))]
        return enters, self._actions(1), steps

    def _event(self, depth: int) -> tuple[int, Spec]:
        self._ids += 1
        number = self._ids
        following = self._chance.choices(["keep", "repeat", "a", "b", "c", "stop"], [4, 1, 3, 3, 3, 0.1])[0]
        spec = {"next": following, "postpone": self._chance.random() < 0.2, **self._actions(depth - 1)}
        return number, spec

    def _enter(self) -> Spec:
        return {"next": self._chance.choices(["keep", "repeat"], [4, 1])[0], "timeouts": self._timeouts()}

    def _actions(self, depth: int) -> Spec:
        many = self._chance.choice([0, 0, 0, 1, 2]) if depth > 0 else 0
        kinds = ["internal", "cast", "info"]
        return {
            "timeouts": self._timeouts(),
            "events": [(self._chance.choice(kinds), self._event(depth)) for _ in range(many)],
        }

    def _timeouts(self) -> list[tuple[str, str, Any, int]]:
        many = self._chance.choice([0, 0, 1, 1, 2, 3])
        return [
            (*self._chance.choice(TIMEOUTS), self._chance.choice([0, "long", "long", "cancel", "update"]), number)
            for number in self._chance.sample(range(100, 1000), many)
        ]


# ------------------------------------------------------------------ ours


class Machine(GenStatem[dict[str, Any]]):
    """Records each event, and does what it says."""

    callback_mode = "handle_event_function"

    def init(self, enters: Any, begin: Spec, log: list[Any]) -> Any:
        return "a", {"log": log, "enters": enters if isinstance(enters, list) else [], "seen": {}}, _next(begin)

    def handle_event(self, event: Event, state: str) -> Next:
        log = self.data["log"]
        match event:
            case Enter(previous):
                log.append(["enter", state, previous])
                return _next(self.data["enters"].pop(0)) if self.data["enters"] else Next()
            case Timeout(name, content=content):
                log.append([name, state, content])
                return Next()
            case Cast((number, spec)) | Info((number, spec)) | Internal((number, spec)):
                log.append([type(event).__name__.lower(), state, number])
                times = self.data["seen"].get(number, 0)
                self.data["seen"][number] = times + 1
                return Next() if times > 1 else _next(spec)
        raise AssertionError(event)


class Entering(Machine):
    state_enter = True


def _next(spec: Spec) -> Next:
    following = spec.get("next", "keep")
    if following == "stop":
        return Next(stop="stopped")
    kinds: dict[str, Any] = {"internal": Internal, "cast": Cast, "info": Info}
    return Next(
        None if following in ("keep", "repeat") else following,
        repeat=following == "repeat",
        postpone=spec.get("postpone", False),
        events=tuple(kinds[kind](event) for kind, event in spec.get("events", ())),
        timeouts=tuple(_timeout(*timeout) for timeout in spec.get("timeouts", ())),
    )


def _timeout(kind: str, name: str, after: Any, content: int) -> Timeout:
    seconds = {"long": LONG, "cancel": None, "update": "same"}.get(after, after)
    return Timeout(name, seconds, generic=kind == "generic", event=kind == "event", content=content)


async def ours(case: tuple[Any, Spec, list[tuple[str, Any]]]) -> list[Any]:
    """Run a case here, and return what the machine has recorded."""
    enters, begin, steps = case
    log: list[Any] = []
    own = list(enters) if isinstance(enters, list) else enters
    pid = await gen_statem.start(Entering if isinstance(enters, list) else Machine, own, begin, log)
    await settled()
    for kind, event in steps:
        if kind == "cast":
            gen_statem.cast(pid, event)
        else:
            send(pid, event)
        await settled()
    send_exit(pid, "kill")
    return log


async def settled() -> None:
    """Let the machine handle all that it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@needs_erlang
async def test_random_machines_handle_the_same_events_as_in_otp() -> None:
    with running_otp(Path(__file__).with_name("machines.escript")) as otp:
        async with Runtime():
            for seed in range(CASES):
                await _check(otp, seed)


async def _check(otp: Otp, seed: int) -> None:
    case = Cases(seed).case()
    theirs = otp.ask(erlang(case))
    mine = as_json(await ours(case))
    assert mine == [entry for entry in theirs if entry[0] != "ended"], (seed, case)
