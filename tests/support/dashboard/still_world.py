"""A world of fil in which no time passes, so that the screen is the same in every run."""

from __future__ import annotations

from dataclasses import fields

import msgspec

from hotdash.app import HotdashApp
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import FSM, World, a_process, a_result, fil_world

NOW = 1_800_000_000.0
"""2027-01-15 08:00:00 UTC."""


class StillWorld(World):
    """A world at the time NOW."""

    def vitals(self) -> m.Vitals:
        vitals = m.Vitals(
            at=NOW, cpu_percent=1.2, rss=48_200_000, threads=4, descriptors=23, loop_lag=0.0005,
            processes=len(self.processes), messages_per_second=4.0, queued=1, restarts=2, uptime=NOW - self.started,
        )  # fmt: skip
        return msgspec.structs.replace(vitals, **self.troubles)


class StillDashboard(HotdashApp):
    """A dashboard that does not show its own cost, which is never the same."""

    def _measure_cost(self) -> None:
        pass


def still_world() -> StillWorld:
    """fil with a pool of six workers, a mailbox that grows, a module with an old version, and two past operations."""
    moving = fil_world()
    world = StillWorld(**{field.name: getattr(moving, field.name) for field in fields(moving)})
    change = msgspec.structs.replace
    world.started = NOW - 3725
    world.processes = [change(one, started=NOW - 3700) for one in world.processes]
    world.processes.append(
        a_process(20, "pool", "supervisor", 10, module="fil.pool", strategy="simple_one_for_one", started=NOW - 3700)
    )
    world.processes += [
        a_process(
            30 + number, None, "gen_server", 20, module="fil.worker", child_id="worker", started=NOW - 600 + number,
            mailbox=number % 3 * 40, messages=900 + 17 * number, restarts=number % 2,
        )
        for number in range(6)
    ]  # fmt: skip
    world.modules = [change(one, loaded=NOW - 3725) for one in world.modules]
    world.modules[1] = change(world.modules[1], old_vsn="1985.z", old_pids=(FSM,))
    world.sources[world.modules[1].name] = m.ModuleSource(
        module=world.modules[1].name, old='color = "lime"\n', current='color = "olive"  # now\n'
    )
    turn = m.OldCodeHolder(kind="process", name="fil_color_fsm <12>", does="runs fil.color_fsm.turn", pid=FSM)
    world.old_code = [m.OldCode(module=world.modules[1].name, vsn="1985.z", holders=(turn,))]
    world.releases = [change(one, staged=NOW - 3600) for one in world.releases]
    world.troubles = {"mailboxes": (m.GrowingMailbox(pid=4, name="web_listener", waiting=12_400, growth=310.0),)}
    world.operations = [
        m.Operation(
            id="op-1", kind="install", from_vsn="1986.a", to_vsn="1986.b", who="alice@example", started=NOW - 900,
            ended=NOW - 899, phase="installed", outcome="installed", pause=0.0041, results=(a_result(),),
        ),
        m.Operation(
            id="op-2", kind="revert", from_vsn="1986.b", to_vsn="1986.a", who="bob@example", started=NOW - 600,
            ended=NOW - 599, phase="reverted", outcome="reverted", pause=0.0052, reason="the lamp is red",
            results=(a_result(),),
        ),
    ]  # fmt: skip
    return world
