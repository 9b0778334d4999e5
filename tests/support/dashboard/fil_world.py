"""The data of a fil node, as structs that a node would send; the scripted peer starts with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from node_runtime.protocol import messages as m

NODE = "fil@127.0.0.1"
FSM = 12
SHA = "9f2c41d07be855aa01c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071829"
PHASES = ("planned", "checked", "holding", "loading", "migrating", "resumed")


def integer(number: int) -> m.Term:
    return m.Term(type="int", text=str(number))


def string(text: str) -> m.Term:
    return m.Term(type="str", text=repr(text))


def machine(state_name: str, **data: m.Term) -> m.Term:
    """A gen_statem's state and data."""
    fields = (
        m.Term(type="fil.color_fsm.Data", items=tuple(data.items())) if data else m.Term(type="Data", text="Data()")
    )
    return m.Term(type="tuple", items=(("state", string(state_name)), ("data", fields)))


@dataclass
class World:
    """All data of a node, for the test to change."""

    name: str = NODE
    boot_id: str = "boot-1"
    vsn: str = "1986.a"
    permanent: str = "1986.a"
    role: m.Role = "operator"
    trust: m.ReleaseTrust = field(default_factory=m.ReleaseTrust)
    generation: int = 4
    started: float = field(default_factory=lambda: time.time() - 3725)
    processes: list[m.ProcessSummary] = field(default_factory=list)
    children: list[m.ChildInfo] = field(default_factory=list)
    modules: list[m.ModuleInfo] = field(default_factory=list)
    releases: list[m.ReleaseInfo] = field(default_factory=list)
    states: dict[int, m.Term] = field(default_factory=dict)
    operations: list[m.Operation] = field(default_factory=list)
    plans: dict[str, m.Plan] = field(default_factory=dict)
    old_code: list[m.OldCode] = field(default_factory=list)
    sources: dict[str, m.ModuleSource] = field(default_factory=dict)
    inspected: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Fields of the views of processes, by pid."""
    troubles: dict[str, object] = field(default_factory=dict)
    workers: tuple[m.WorkerInfo, ...] = ()

    def info(self) -> m.NodeInfo:
        return m.NodeInfo(
            name=self.name, boot_id=self.boot_id, os_pid=4242, directory="/srv/fil", release="fil", vsn=self.vsn,
            permanent=self.permanent, python="3.11.9", runtime="0.1.0", started=self.started,
            generation=self.generation, role=self.role, max_message=1 << 20, trust=self.trust,
        )  # fmt: skip

    def vitals(self) -> m.Vitals:
        now = time.time()
        beat = int(now * 5) % 12
        vitals = m.Vitals(
            at=now, cpu_percent=1.2 + beat * 0.4, rss=48_200_000 + beat * 9000, threads=4, descriptors=23,
            loop_lag=0.0003 + 0.0002 * (beat % 5), processes=len(self.processes),
            messages_per_second=2.0 + beat % 7, queued=beat % 3, restarts=0, uptime=now - self.started,
        )  # fmt: skip
        return msgspec.structs.replace(vitals, **self.troubles)

    def snapshot(self, seq: int) -> m.Snapshot:
        running = [one for one in self.operations if one.ended is None]
        return m.Snapshot(
            seq=seq, info=self.info(), vitals=self.vitals(), processes=tuple(self.processes),
            children=tuple(self.children),
            applications=(
                m.ApplicationInfo(name="web", vsn="0.1.0", top=3),
                m.ApplicationInfo(name="fil", vsn=self.vsn, top=10),
            ),
            modules=tuple(self.modules), releases=tuple(self.releases), workers=self.workers,
            operation=running[-1] if running else None,
        )  # fmt: skip

    def summary(self, seq: int) -> m.NodeSummary:
        snapshot = self.snapshot(seq)
        return m.NodeSummary(**{name: getattr(snapshot, name) for name in m.NodeSummary.__struct_fields__})

    def process(self, pid: int) -> m.ProcessSummary:
        return next(process for process in self.processes if process.pid == pid)

    def change(self, pid: int, /, **fields: object) -> None:
        """Change fields of a process."""
        self.processes = [
            msgspec.structs.replace(process, **fields) if process.pid == pid else process for process in self.processes
        ]

    def end(self, pid: int) -> None:
        """Remove a process."""
        self.processes = [process for process in self.processes if process.pid != pid]


def a_process(pid: int, name: str | None, kind: m.ProcessKind, parent: int | None, **more: object) -> m.ProcessSummary:
    fields: dict[str, object] = {
        "module": f"fil.{name}" if name else "fil.color_fsm", "vsn": "1986.a", "status": "idle",
        "started": time.time() - 3700, "application": "fil", "links": () if parent is None else (parent,),
    } | more  # fmt: skip
    return m.ProcessSummary(pid=pid, name=name, kind=kind, parent=parent, **fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def a_module(name: str, vsn: str = "1986.a", **more: object) -> m.ModuleInfo:
    fields: dict[str, object] = {
        "application": "fil", "app_vsn": vsn, "vsn": vsn, "sha256": SHA, "loaded": time.time() - 3725,
        "path": f"lib/fil-{vsn}/src/{name.replace('.', '/')}.py",
    } | more  # fmt: skip
    return m.ModuleInfo(name=name, **fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def a_release(vsn: str, status: m.ReleaseStatus, **more: object) -> m.ReleaseInfo:
    fields: dict[str, object] = {"staged": time.time() - 3600, "apps": (("web", "0.1.0"), ("fil", vsn))} | more
    return m.ReleaseInfo(name="fil", vsn=vsn, status=status, **fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def a_plan(to_vsn: str, *, from_vsn: str = "1986.a", direction: m.Direction = "up", **more: object) -> m.Plan:
    fields: dict[str, object] = {
        "id": "3f9a1c", "generation": 4,
        "modules": (
            m.PlannedModule(
                name="fil.color_fsm", application="fil", action="load", old_vsn=from_vsn, new_vsn=to_vsn
            ),
            m.PlannedModule(name="root_dtl", application="fil", action="load", old_vsn="41d07b", new_vsn="be855a"),
        ),
        "processes": (m.PlannedProcess(pid=FSM, name="fil_color_fsm", module="fil.color_fsm", action="migrate"),),
        "instructions": (
            f"load_object_code fil {to_vsn} [fil.color_fsm, root_dtl]", "suspend [fil.color_fsm]",
            "load fil.color_fsm soft_purge soft_purge", "code_change up [[fil.color_fsm, []]]",
            "load root_dtl soft_purge soft_purge", "resume [fil.color_fsm]",
        ),
        "point_of_no_return": 2, "configuration": (("fil.cycle_time", "4.0", "2.0"),), "blockers": (),
        "warnings": (), "way_back": True,
    } | more  # fmt: skip
    return m.Plan(from_vsn=from_vsn, to_vsn=to_vsn, direction=direction, **fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def a_result(pid: int = FSM, **more: object) -> m.ProcessResult:
    fields: dict[str, object] = {
        "name": "fil_color_fsm", "module": "fil.color_fsm", "action": "migrate", "old_vsn": "1986.a",
        "new_vsn": "1986.b", "outcome": "ok", "seconds": 0.00042,
        "before": machine("lime", turns=integer(41)),
        "after": machine("red", turns=integer(41), since=string("upgrade")),
    } | more  # fmt: skip
    return m.ProcessResult(pid=pid, **fields)  # type: ignore[arg-type]  # checked by msgspec on the wire


def fil_world() -> World:
    """fil after its boot: 1986.a runs and is permanent, 1986.b and 1986.c are staged."""
    world = World()
    world.processes = [
        a_process(3, "web_sup", "supervisor", None, module="node_runtime.web", strategy="one_for_one",
                  intensity="0/3 in 5 s", application="web", vsn="0.1.0"),
        a_process(4, "web_listener", "gen_server", 3, module="node_runtime.web", application="web",
                  callback="node_runtime.web:Listener", child_id="listener", messages=1840, vsn="0.1.0"),
        a_process(10, "fil_sup", "supervisor", None, module="fil.sup", callback="fil.sup:FilSup",
                  strategy="one_for_one", intensity="0/5 in 10 s"),
        a_process(FSM, "fil_color_fsm", "gen_statem", 10, module="fil.color_fsm", callback="fil.color_fsm:ColorFsm",
                  child_id="tag1", state_name="olive", messages=1861, links=(10,)),
    ]  # fmt: skip
    world.modules = [
        a_module("fil.app"), a_module("fil.color_fsm", processes=1), a_module("fil.handler"), a_module("fil.lib"),
        a_module("fil.sup", processes=1), a_module("root_dtl", vsn="41d07b", app_vsn="1986.a"),
    ]  # fmt: skip
    world.releases = [
        a_release("1986.a", "permanent"),
        a_release("1986.b", "unpacked", up=True, down=True),
        a_release("1986.c", "unpacked", up=True, down=True),
    ]
    world.states = {
        FSM: machine("olive", turns=integer(41)),
        4: m.Term(type="Listener", items=(("port", integer(8004)), ("served", integer(1840)))),
    }
    world.plans = {
        "1986.a": a_plan("1986.a", nothing_to_do=True, modules=(), processes=(), instructions=()),
        "1986.b": a_plan("1986.b"),
        "1986.c": a_plan("1986.c"),
    }
    return world


def a_snapshot(**changes: object) -> m.Snapshot:
    return msgspec.structs.replace(fil_world().snapshot(1), **changes)
