"""The loop of `node-runtime dev`: at each change of the project's files, the running node is upgraded."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import locate
from node_runtime.releases.appups.next_version import next_version
from node_runtime.releases.build.project import Project, read_project

from .live_upgrade import Blocked, LiveUpgrade, Outdated, has_switched, upgrade_live
from .source_node import SourceNode
from .source_paths import SourcePaths

NAME_SUFFIX: Final = "-dev"
"""The suffix of a development node's name, before the host: it marks the node as a development node."""

LOST: Final = (ExitCode.UNREACHABLE, ExitCode.UNKNOWN_OUTCOME)
"""The failures of a request that the end of the node can cause."""
END_SECONDS: Final = 1.0
"""The maximum time between the loss of the connection and the end of the node."""
RETRY_SECONDS: Final = 2.0
"""The time between two attempts to install code that is blocked only by something that will end."""
_COMMAND: Final = re.compile(r"(`hotdash \w+) NODE\b")
_END: Final = object()
"""The value that stands for the end of the changes."""


class Development:
    """A project in a folder, and the node that runs it.

    `say` gets each line for the developer. `log` is the descriptor for the node's log; None is stderr. `parameters` is
    the text of a file with parameters that have precedence over those of the project, like etc/sys.toml of a node.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None], log: int | None = None, *, parameters: str = ""
    ) -> None:
        self._folder = folder
        self._say = say
        self._log = log
        self._parameters = parameters
        self.started = asyncio.Event()
        """Set as soon as the node runs for the first time."""
        self._number = 0
        self._stack = AsyncExitStack()
        self._scratch = Path()
        self._node: SourceNode | None = None
        self._client: Client | None = None
        self._current: Project | None = None
        self._end: asyncio.Task[None] | None = None
        self._has_mistake = False
        """Whether the last message has reported a mistake in the files."""
        self._blocked = ""
        """The last message, if only something that will end prevents the upgrade."""

    @property
    def node(self) -> SourceNode:
        """The node. Raises Refused if it has not started."""
        if self._node is None:
            raise Refused("The development node has not started.")
        return self._node

    async def run(self, changes: AsyncIterator[Any]) -> None:
        """Start the node, and upgrade it whenever `changes` yields, until the node ends or the task is cancelled."""
        with tempfile.TemporaryDirectory(prefix="node-runtime-dev-") as scratch:
            self._scratch = Path(scratch)
            change = asyncio.ensure_future(anext(changes, _END))  # begins to watch before the files are read
            try:
                await self._start(read_project(self._folder))
                while await change is not _END:
                    change = asyncio.ensure_future(anext(changes, _END))
                    await self._follow(partial(_has_change, change))
                    while self._blocked and not (await asyncio.wait([change], timeout=RETRY_SECONDS))[0]:
                        await self._follow(partial(_has_change, change), self._blocked)
            finally:
                change.cancel()
                await self._stop()

    async def _start(self, project: Project) -> None:
        self._node = await SourceNode.start(
            project, self._folder, NAME_SUFFIX, log=self._log, parameters=self._parameters
        )
        address = locate(self._node.name)
        self._client = await self._stack.enter_async_context(
            Client.connect(address, user=local_user(), client_name="node-runtime dev")
        )
        self._current = project
        name = self._node.name
        self._say(f"{name} runs {project.release.name} {project.release.vsn}; `hotdash connect {name}` shows it.")
        self.started.set()
        self._end = asyncio.create_task(self._say_end(self._node))

    async def _say_end(self, node: SourceNode) -> None:
        """Wait until the node has ended by itself, and say so at once."""
        await node.wait()
        self._say("The node has ended, and all states are lost; its log says why. The next save starts it again.")

    async def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()
        stack, self._stack = self._stack, AsyncExitStack()
        try:
            await stack.aclose()
        finally:
            node, self._node = self._node, None
            if node is not None:
                await node.stop()

    async def _follow(self, is_outdated: Callable[[], bool], said: str = "") -> None:
        """Upgrade the node to the present files. If they have a mistake, print it; the old code continues to run.

        `is_outdated` returns whether the files have changed again. Then this stops without a message, because an editor
        may have saved only a part of a file. `said` is the message of the last attempt, if this one is a repetition: it
        is not printed again, and a node that has ended stays down until the next save.
        """
        began = time.monotonic()
        self._blocked = ""
        if said and (self._node is None or not self._node.is_alive):
            return
        try:
            project = _read(self._folder)
            if self._node is None or not self._node.is_alive:
                await self._restart(project)
                return
            done = await self._upgrade(project, is_outdated)
        except Outdated:
            return
        except (Refused, OSError) as error:
            if not is_outdated() and not await self._has_ended(error):
                reason = _reason(error)
                self._blocked = reason if isinstance(error, Blocked) else ""
                if reason != said:
                    self._say_mistake(reason)
            return
        if done is not None:
            for line in _report(done, time.monotonic() - began):
                self._say(self._named(line))
        elif self._has_mistake:
            self._say("The mistake is corrected: the node runs the saved code.")
        self._has_mistake = False

    async def _upgrade(self, project: Project, is_outdated: Callable[[], bool]) -> LiveUpgrade | None:
        """Upgrade the node to `project`; return None if the node runs this project already. Raises Refused, Outdated,
        OSError.
        """
        assert self._current is not None
        assert self._client is not None
        following = next_version(self._current, project, f"+dev.{self._number + 1}")
        if following.project is self._current:
            return None
        self._number += 1
        has_other_requirements = self._current.release.requirements != project.release.requirements
        try:
            done = await upgrade_live(self._client, following.project, self._scratch, is_outdated)
        except Refused as error:
            is_unknown = error.code == ExitCode.UNKNOWN_OUTCOME
            if is_unknown and await has_switched(self._client, following.project.release.vsn):
                self._current = following.project
            raise
        self._current = following.project
        notes = tuple(f"`node-runtime appup generate` will ask: {text}" for text in following.questions)
        if has_other_requirements:
            notes += ("The requirements have changed: install them, and start `node-runtime dev` again.",)
        return msgspec.structs.replace(done, notes=done.notes + notes)

    async def _restart(self, project: Project) -> None:
        await self._stop()
        await self._start(project)

    def _say_mistake(self, reason: str) -> None:
        if self._node is None:
            self._say(f"The node doesn't run: {reason}")
            return
        self._has_mistake = True
        self._say(f"The old code continues to run: {self._named(reason)}")

    def _named(self, text: str) -> str:
        """Return `text` with the project's paths, and with the node's name in commands."""
        text = SourcePaths(self._folder, self.node.directory).named(text)
        return _COMMAND.sub(rf"\1 {self.node.name}", text)

    async def _has_ended(self, error: Refused | OSError) -> bool:
        """Return whether the request failed because the node has ended. Then `_say_end` has reported the end."""
        if not isinstance(error, Refused) or error.code not in LOST or self._end is None:
            return False
        return bool((await asyncio.wait([self._end], timeout=END_SECONDS))[0])


def _read(folder: Path) -> Project:
    """Read the project. A mistake in an appup doesn't matter here: `dev` generates an appup for each save."""
    try:
        return read_project(folder)
    except Refused:
        return read_project(folder, appups=False)


def _reason(error: Refused | OSError) -> str:
    if isinstance(error, Refused):
        return error.sentence
    return f"{error.filename} can't be read: {error.strerror}."  # an editor replaces files while they are read


def _has_change(change: asyncio.Future[Any]) -> bool:
    return change.done() and not change.cancelled() and change.exception() is None and change.result() is not _END


def _report(done: LiveUpgrade, seconds: float) -> list[str]:
    modules = ", ".join(done.modules) or "no module"
    kept = f"; {done.processes} {'process keeps its state' if done.processes == 1 else 'processes keep their states'}"
    line = f"{done.vsn} after {seconds * 1000:.0f} ms: {modules}{kept if done.processes else ''}."
    return [line, *(f"  {note}" for note in done.notes)]
