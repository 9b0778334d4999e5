"""The answers of the scripted peer to requests about one process in depth."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages.inspection import SUCCESSOR_REMEDY
from tests.support.dashboard.fil_world import World


class PeerWithWorld(Protocol):
    """The peer; a test may replace its world."""

    world: World


class ScriptedProcesses:
    """`World.inspected` has what a view has beyond the process and its state."""

    def __init__(self, peer: PeerWithWorld) -> None:
        self._peer = peer

    def answers(self) -> dict[str, Callable[[Any], m.WireStruct]]:
        return {
            "process": self._process,
            "log_process": self._log,
            "trace_process": self._trace,
            "suspend_process": self._suspend,
            "resume_process": self._resume,
        }

    def _process(self, params: m.InspectProcess) -> m.ProcessView:
        world = self._peer.world
        process = next((one for one in world.processes if one.pid == params.pid), None)
        if process is None:
            raise Refused(f"Process <{params.pid}> has ended: killed. {SUCCESSOR_REMEDY}")
        known = {one.pid: one for one in world.processes}
        children = tuple(one.pid for one in world.processes if one.parent == params.pid)
        ancestors: list[int] = []
        above = known.get(process.parent or 0)
        while above is not None:
            ancestors.append(above.pid)
            above = known.get(above.parent or 0)
        fields: dict[str, Any] = {
            "ancestors": tuple(ancestors), "children": children, "child_count": len(children),
            "link_count": len(process.links), "related": tuple(_related(one) for one in world.processes),
        } | world.inspected.get(params.pid, {})  # fmt: skip
        state = world.states.get(params.pid, m.Term(type="NoneType", text="None"))
        return m.ProcessView(process=process, state=state, at=time.time(), boot_id=world.boot_id, **fields)

    def _set(self, pid: int, **fields: object) -> m.Empty:
        self._peer.world.inspected.setdefault(pid, {}).update(fields)
        return m.Empty()

    def _log(self, params: m.LogProcess) -> m.Empty:
        event = m.RecordedEvent(at=time.time(), kind="in", text="turn(degrees=90)")
        return self._set(params.pid, log=(event,) if params.on else None)

    def _trace(self, params: m.TraceProcess) -> m.Empty:
        event = m.RecordedEvent(at=time.time(), kind="out", text="'traced'")
        trace = m.ProcessTrace(until=time.time() + params.seconds, rate=params.rate, left_out=7, events=(event,))
        return self._set(params.pid, trace=trace)

    def _suspend(self, params: m.SuspendProcess) -> m.Empty:
        self._peer.world.change(params.pid, status="suspended")
        return self._set(params.pid, suspended_by=("an operator",))

    def _resume(self, params: m.ProcessTarget) -> m.Empty:
        self._peer.world.change(params.pid, status="idle")
        return self._set(params.pid, suspended_by=())


def _related(process: m.ProcessSummary) -> m.RelatedProcess:
    return m.RelatedProcess(**{name: getattr(process, name) for name in m.RelatedProcess.__struct_fields__})
