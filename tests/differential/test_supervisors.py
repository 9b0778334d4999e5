"""Random supervisors, run by OTP's supervisor and by ours: the same starts, ends, refusals and children.

Each start of a child takes the next of its outcomes, and each child records its start and its end. The period is so
long that every restart counts.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from node_runtime import (
    ChildSpec,
    Exit,
    GenServer,
    Ignore,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    cast,
    gen_server,
    is_alive,
    spawn,
    supervisor,
    trap_exit,
    until_ended,
)
from node_runtime import exit as send_exit
from node_runtime.supervisor import ChildRefused
from tests.support.hypothesis_profiles import quiet
from tests.support.otp import CASES, as_json, erlang, needs_erlang, running_otp

__all__ = ["quiet"]

IDS = "abcdef"
REASONS: tuple[Any, ...] = ("normal", "shutdown", ("shutdown", "why"), "crash", "kill")


def random_case(seed: int) -> tuple[Any, ...]:
    """Return flags, children, the outcomes of the starts of each child, and the steps."""
    chance = random.Random(seed)
    shutdown = chance.choice(["never", "never", "any_significant", "all_significant"])
    strategy = chance.choice(["one_for_one", "one_for_all", "rest_for_one"])

    def child(name: str) -> tuple[str, str, bool]:
        restart = chance.choice(["permanent", "transient", "temporary"])
        return name, restart, shutdown != "never" and restart != "permanent" and chance.random() < 0.5

    def step() -> tuple[str, Any] | tuple[str, Any, Any]:
        name = chance.choice(IDS)
        kinds = ["die", "terminate_child", "restart_child", "delete_child", "start_child"]
        match kind := chance.choices(kinds, [4, 1, 1, 1, 1])[0]:
            case "die":
                return kind, name, chance.choice(REASONS)
            case "start_child":
                return kind, child(name)
        return kind, name

    outcomes = {name: chance.choices(["ok", "ignore", "error"], [8, 1, 1], k=8) for name in IDS}
    children = [child(name) for name in IDS[: chance.randint(0, 5)]]
    return (
        (strategy, chance.choice([0, 1, 2, 3, 10]), shutdown),
        children,
        outcomes,
        [step() for _ in range(chance.randint(1, 10))],
    )


# ------------------------------------------------------------------ ours

log: list[Any] = []
outcomes_left: dict[str, list[str]] = {}


class Child(GenServer[str]):
    """Records its end, and ends on request."""

    def init(self, name: str) -> str:
        trap_exit()
        return name

    def die(self, reason: object) -> None:
        raise Stop(reason)

    def handle_info(self, message: Any) -> None: ...

    def terminate(self, reason: object) -> None:
        log.append(["end", self.state, reason])


async def start(name: str) -> Pid:
    """Start a child, or fail, as its next outcome says."""
    outcome = outcomes_left[name].pop(0) if outcomes_left[name] else "ok"
    log.append(["start", name, outcome])
    if outcome == "ignore":
        raise Ignore
    if outcome == "error":
        raise ValueError("oops")
    return await gen_server.start_link(Child, name)


class Sup(Supervisor):
    """A supervisor with the flags and children of the case."""

    period = 3600.0
    specs: tuple[ChildSpec, ...] = ()

    def children(self) -> list[ChildSpec]:
        return list(self.specs)


def spec(name: str, restart: Any, significant: bool) -> ChildSpec:
    return ChildSpec(name, f"{__name__}:start", args=(name,), restart=restart, significant=significant)


async def ours(case: tuple[Any, ...]) -> Any:
    """Run a case here, and return the log at each step with the answers and children."""
    (strategy, intensity, shutdown), children, outcomes, steps = case
    log.clear()
    outcomes_left.clear()
    outcomes_left.update((name, list(left)) for name, left in outcomes.items())
    specs = tuple(spec(*child) for child in children)
    flags = {"strategy": strategy, "intensity": intensity, "auto_shutdown": shutdown, "specs": specs}
    cls: type[Sup] = type("Case", (Sup,), {"__module__": __name__, **flags})
    found: list[Any] = []

    async def drive() -> None:
        trap_exit()
        try:
            pid = await supervisor.start_link(cls)
        except Exit:
            found.extend(["error", taken()])
            return
        begun, results = taken(), []
        for step in steps:
            answer = await _step(pid, step)
            await settled()
            results.append([answer, _status(pid), taken()])
        alive = "alive" if is_alive(pid) else "ended"
        send_exit(pid, "shutdown")
        await _gone(pid)
        found.extend([begun, results, alive, taken()])

    assert await until_ended(spawn(drive)) == "normal"
    return found


def taken() -> list[Any]:
    """Return the log since the last call."""
    entries = list(log)
    log.clear()
    return entries


async def _gone(pid: Pid) -> None:
    if is_alive(pid):
        await until_ended(pid)


async def _step(pid: Pid, step: tuple[Any, ...]) -> str:
    match step:
        case ("die", name, reason):
            running = {one.id: one.pid for one in supervisor.which_children(pid)} if is_alive(pid) else {}
            if (child := running.get(name)) is None:
                return "none"
            if reason == "kill":
                send_exit(child, "kill")
            else:
                cast(child, Child.die, reason)
            await _gone(child)
            return "ok"
        case (function, argument):
            try:
                started = await getattr(supervisor, function)(
                    pid, spec(*argument) if function == "start_child" else argument
                )
            except ChildRefused as refused:
                return refused.reason
            except Exit:
                return "gone"
            if function in ("terminate_child", "delete_child"):
                return "ok"
            return "undefined" if started is None else "started"
    raise AssertionError(step)


def _status(pid: Pid) -> Any:
    if not is_alive(pid):
        return "gone"
    return [[one.id, one.status] for one in supervisor.which_children(pid)]


async def settled() -> None:
    """Let the supervisor handle all ends and retries."""
    for _ in range(40):
        await asyncio.sleep(0)


@needs_erlang
async def test_random_supervisors_do_the_same_as_in_otp() -> None:
    with running_otp(Path(__file__).with_name("supervisors.escript")) as otp:
        async with Runtime():
            for seed in range(CASES):
                case = random_case(seed)
                theirs = otp.ask(erlang(case))
                assert as_json(await ours(case)) == theirs, (seed, case)
