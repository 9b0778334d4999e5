"""A node with a pool of servers, and its upgrade: `python -m benchmarks.pool_node SIZE [uvloop]`.

Release 2 adds one field to each worker's state. Release 3 adds it, too, but its code_change fails
for the last worker, and the node puts everything back. Meanwhile one client calls a worker every
millisecond. The time of the install excludes the phase in which the node prepares the code, which is reported
separately, and the rehearsal, which is cut off after a second.
"""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from node_runtime import Pid, Runtime, application, call_within, supervisor
from node_runtime.code import CodeServer
from node_runtime.protocol.messages import Install, Operation
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.planning.app_env import application_spec, register_sources
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog

from .measuring import Figures, run

SOURCES: Final = Path(__file__).parent / "pool"
PERIOD: Final = 0.001
"""Seconds between a reply and the next call."""
SETTLING: Final = 0.3
"""Seconds for which the client calls the worker before an install, and again after it."""

APPUP: Final = """
vsn = "{vsn}"
[[up]]
from = "1"
instructions = [ {{ update = "pool.worker", change = "advanced" }} ]
[[down]]
to = "1"
instructions = [ {{ update = "pool.worker", change = "advanced" }} ]
"""


def write_release(root: Path, vsn: str, others: Mapping[str, bytes] | None = None, appup: str = APPUP) -> None:
    """Put a release into the node's directory, as unpacking a tarball does.

    `others` are the sources of modules in place of the pool's, or in addition to them.
    """
    library = root / f"lib/pool-{vsn}"
    worker = SOURCES / f"worker_{vsn}.py"
    modules = {"pool.top": (SOURCES / "top.py").read_bytes(), **(others or {"pool.worker": worker.read_bytes()})}
    entries = {}
    for module, source in modules.items():
        file = library / "src" / f"{module.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)
        entries[module] = ModuleEntry(path=str(file.relative_to(root)), sha256=sha256(file.read_bytes()))
    (library / "app.toml").write_text(f'name = "pool"\nvsn = "{vsn}"\n')
    if vsn != "1":
        (library / "appup.toml").write_text(appup.format(vsn=vsn))
    contents = {str(file.relative_to(root)): file.read_bytes() for file in library.rglob("*.*")}
    manifest = Manifest(
        name="pool",
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(),
        apps=(AppEntry(name="pool", vsn=vsn, modules=entries),),
        files={name: FileEntry(size=len(content), sha256=sha256(content)) for name, content in contents.items()},
    )
    release = root / "releases" / vsn
    release.mkdir(parents=True)
    (root / manifest_path(vsn)).write_bytes(manifest.encoded())
    (release / "release.toml").write_text(f'name = "pool"\nvsn = "{vsn}"\napps = ["pool"]\n')
    (release / "node.toml").write_text('name = "pool@127.0.0.1"\nrehearsal = 1\n[probation]\ndeadline = 0\n')
    known = commit_record.load(root)
    commit_record.save(root, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))


def boot(root: Path, code: CodeServer) -> ReleaseHandler:
    """Boot release 1 as a node does."""
    release = Catalog(root).release("1")
    code.install()
    register_sources(code, release, release)
    application.load(application_spec(release, "pool"))
    return ReleaseHandler(root, "1", code)


class Client:
    """Calls one worker every millisecond; `gap` is the longest time from a due call to its reply, in seconds."""

    def __init__(self, worker: Pid) -> None:
        self.gap = 0.0
        self._worker = worker
        self._add = importlib.import_module("pool.worker").Worker.add
        self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            wanted = perf_counter() + PERIOD
            await asyncio.sleep(PERIOD)
            await call_within(None, self._worker, self._add)
            self.gap = max(self.gap, perf_counter() - wanted)

    def take_gap(self) -> float:
        """Return the gap so far, in seconds, and start a new one."""
        gap, self.gap = self.gap, 0.0
        return gap

    def stop(self) -> None:
        """Stop calling."""
        self._task.cancel()


@dataclass(frozen=True)
class Upgrade:
    """An upgrade and its times, in seconds.

    `gap_before` and `gap` are the client's longest gaps before the hold and from the hold on.
    `prepare` is the time in which the code is compiled, executed in a copy of the node, and executed in the node.
    `install` is the time of the install without `prepare` and without the rehearsal.
    """

    operation: Operation
    gap_before: float
    gap: float
    prepare: float
    install: float


async def upgraded(handler: ReleaseHandler, worker: Pid, vsn: str) -> Upgrade:
    """Install a release while a client calls `worker`."""
    handler.releases()
    client = Client(worker)
    await asyncio.sleep(SETTLING)
    over: asyncio.Future[Operation] = asyncio.get_running_loop().create_future()
    client.take_gap()
    gap_before = 0.0

    def heard(told: Operation) -> None:
        nonlocal gap_before
        if told.phase == "holding":
            gap_before = client.take_gap()
        if told.ended is not None:
            over.set_result(told)

    unsubscribe = handler.subscribe(heard)
    began = perf_counter()
    handler.install(Install(vsn=vsn, direction="up", unrehearsed=True), "bench")
    done = await over
    seconds = perf_counter() - began
    unsubscribe()
    await asyncio.sleep(SETTLING)
    client.stop()
    preparing, rehearsing = (_seconds_in(done, phase) for phase in ("preparing", "rehearsing"))
    return Upgrade(done, gap_before, client.take_gap(), preparing, seconds - preparing - rehearsing)


def _seconds_in(operation: Operation, phase: str) -> float:
    return sum(step.seconds or 0.0 for step in operation.steps if step.phase == phase)


async def start_pool(numbers: Iterable[int]) -> list[Pid]:
    """Start the pool of a booted node, with a server for each number; return the servers."""
    await supervisor.start_link(importlib.import_module("pool.top").Top, name="pool_top")
    return [pid for number in numbers if (pid := await supervisor.start_child("pool_top", [number])) is not None]


async def figures(size: str) -> Figures:
    """Measure both upgrades; the failing one comes first, because it leaves the node unchanged."""
    count = int(size)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for vsn in "123":
            write_release(root, vsn)
        async with Runtime():
            code = CodeServer()
            handler = boot(root, code)
            first, *_ = await start_pool((*range(1, count), 0))
            failed = await upgraded(handler, first, "3")
            done = await upgraded(handler, first, "2")
            outcomes = failed.operation.outcome, done.operation.outcome
            assert outcomes == ("put back", "installed"), (failed, done)
            return {
                "gap": done.gap,
                "gap_before": done.gap_before,
                "prepare": done.prepare,
                "install": done.install,
                "pause": done.operation.pause or 0.0,
                "failed_gap": failed.gap,
                "failed_pause": failed.operation.pause or 0.0,
            }


if __name__ == "__main__":
    run(figures)
