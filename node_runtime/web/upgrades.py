"""Replaces the applications of listeners in installs: a new version starts before the switch, beside the old version.

The startup of the new version sees the state of the old application. If the startup fails, the install is aborted. At
the switch, the tasks that the old startup has created are parked, and those of the new startup take their first step.
If the install fails, the old tasks continue, and the shutdown of the new version runs. After a success, the old tasks
are cancelled, and the old shutdown runs when the last request that began before the switch has ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from node_runtime.code import Batch
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Blocker, OldCodeHolder
from node_runtime.releases.planning.participants import FindOldCodeHolders, HeldModules, participants
from node_runtime.releases.planning.transition import Transition

from . import django_project, old_requests, old_states, served_code
from .clients.request_gate import MAX_WAITING
from .lifespan.lifespan import Lifespan
from .lifespan.startup_functions import awaits_own_tasks, startup_functions
from .listeners import Listener, listeners
from .named_application import NamedApplication
from .open_requests import has_begun, requests_in_flight
from .plugins import Plugin, find_plugins
from .server_options import SWITCH_SECONDS
from .websocket_drain import drain_websockets

PAUSE_AGAIN_SECONDS: Final = 5.0
"""An install that waits for a condition pauses the listeners again only after this time."""


@dataclass(slots=True)
class _Replacement:
    """A listener whose application gets another version, with its old and its new lifespan."""

    listener: Listener
    application: NamedApplication
    old: Lifespan
    new: Lifespan
    requests: set[asyncio.Task[Any]] = field(default_factory=set)
    """The requests that had begun before the switch."""
    switched: bool = False

    def switch(self) -> None:
        server = self.listener.server
        tasks = () if server is None else tuple(server.server_state.tasks)
        self.requests = {task for task in tasks if has_begun(self.listener, task)}
        self.old.gate.close()
        self.application.adopt(self.new)
        self.new.gate.open()
        self.switched = True

    def put_back(self) -> None:
        if self.switched:
            self.new.gate.close()
            self.application.adopt(self.old)
            self.old.gate.open()
            self.requests, self.switched = set(), False

    async def retire(self) -> None:
        """Cancel the tasks of the old startup, and run the old shutdown when the last old request has ended."""
        self.old.gate.cancel()
        waiting, self.requests = [task for task in self.requests if not task.done()], set()
        if (seconds := self.listener.options.get("drain_websockets")) is not None:
            self.listener.draining |= drain_websockets(waiting, seconds)
        if waiting:
            await asyncio.wait(waiting)
        waiting.clear()
        await self.old.shutdown()


class ListenersInInstalls:
    """Takes part in installs for the listeners: replaces their applications, and can put the old applications back."""

    def __init__(self) -> None:
        self._prepared: list[_Replacement] = []
        self._plugins: list[Plugin] = []
        self._paused_at = -math.inf

    def warnings(self, batch: Batch) -> list[str]:
        """Return the sentences that a plan has about the applications of listeners.

        The sentences name the startups that the install will run, the startup functions that await tasks of their own,
        and the values of an application's state that stay instances of a replaced class. Called in a copy of the node.
        There, the new application gets the old state at once, so that the plan does not report the old state as lost.
        """
        found: list[str] = []
        replaced = [(application, new) for _, application, new in _replaced(batch)]
        for application, new in replaced:
            _copy_state(application, new, batch)
        found += _startup_warnings(replaced)
        for application, _ in replaced:
            if application.lifespan is not None:
                application.lifespan.application = None  # the switch frees this holder, so the copy must not find it
        kept = batch.kept_code()
        for _, application, _ in _running():
            found += old_states.warnings(application, _served_after(application, batch), kept)
        return found

    def blockers(self, transition: Transition, batch: Batch) -> list[Blocker]:
        """Return a blocker for each application that would still run replaced code, and the blockers of Django
        projects.
        """
        kept = batch.kept_code()
        found = [*django_project.blockers(transition, batch)]
        for listener, application, _ in _running():
            served = _served_after(application, batch)
            found += served_code.blockers(listener.name, application.reference, served, kept)
        return found

    def served(self, batch: Batch) -> list[str]:
        """Return the names of the replaced code that the applications of listeners would still serve."""
        kept = batch.kept_code()
        return [name for _, application, _ in _running() for name in kept.names_in(_served_after(application, batch))]

    def staying(self, transition: Transition, holders: list[HeldModules]) -> tuple[list[str], list[HeldModules]]:
        """Return two lists: sentences about the open requests in `holders`, and the holders that are not open requests.

        Neither list has the tasks of a lifespan that the install replaces, because they end with that lifespan.
        """
        ending = set()
        for _, application, lifespan in _running():
            if application.module in transition.loaded:
                ending |= lifespan.task_names()
        return old_requests.sentences([one for one in holders if one[0].task not in ending])

    def counted(self, holders: Sequence[OldCodeHolder]) -> list[OldCodeHolder]:
        """Return the holders of an old version, with a single holder for all open requests of a listener."""
        return old_requests.counted(holders)

    async def close(self, find_holders: FindOldCodeHolders) -> list[str]:
        """Close the websockets and streams among the holders of an old version; return what was closed, in words."""
        return await old_requests.close(find_holders)

    async def prepare(self, transition: Transition, batch: Batch) -> None:
        """Run the startups of the new versions.

        Raises `Refused` if one fails, or exceeds the limit `prepare` of node.toml.
        """
        self._plugins = find_plugins()
        if self._prepared:
            return  # an install that waits for a condition calls this method again
        limit = transition.configuration.node.prepare
        for listener, application, new in list(_replaced(batch)):
            old = application.lifespan
            assert old is not None
            _copy_state(application, new, batch)
            lifespan = Lifespan(application.reference, new, old.process, state=dict(old.state), waits=True)
            self._prepared.append(_Replacement(listener, application, old, lifespan))
            try:
                async with asyncio.timeout(limit):
                    await lifespan.startup(listener.context)
            except TimeoutError:
                raise Refused(
                    f"the startup of {application.reference} did not end within {limit:g} s; correct it, or raise "
                    "`prepare` in node.toml"
                ) from None

    async def pause(self, transition: Transition) -> None:
        """Let the requests in flight end while new ones wait, for at most `timeout_switch` of each listener."""
        now = asyncio.get_running_loop().time()
        if not (transition.loaded or transition.removed) or now < self._paused_at + PAUSE_AGAIN_SECONDS:
            return
        self._paused_at = now
        await asyncio.gather(*map(_let_requests_end, tuple(listeners().values())))

    def resume(self) -> None:
        """Let all requests begin."""
        for listener in listeners().values():
            listener.gate.open()

    def switch(self) -> None:
        """Switch to the new lifespans: later requests get the new state, and the new tasks replace the old ones."""
        for one in self._prepared:
            one.switch()
        self._update_libraries()

    def put_back(self) -> None:
        """Return to the old lifespans: later requests get the old state, and the old tasks continue."""
        for one in self._prepared:
            one.put_back()
        self._update_libraries()

    def _update_libraries(self) -> None:
        """Let Django and pluggy use the current versions: clear Django's caches of URLs, and register plugins again."""
        django_project.clear_url_caches()
        for plugin in self._plugins:
            plugin.register_current_version()

    async def discard(self) -> None:
        """Run the shutdowns of the new versions, unless `done` was called. Called at the end of each install."""
        self.put_back()
        self._paused_at = -math.inf
        prepared, self._prepared = self._prepared, []
        for one in prepared:
            await one.new.shutdown()

    def done(self) -> None:
        """Begin to end the old lifespans: start a task for each, which calls `retire`."""
        prepared, self._prepared = self._prepared, []
        loop = asyncio.get_running_loop()
        for one in prepared:
            task = loop.create_task(
                one.retire(), name=f"end of the old {one.application.reference}", context=one.listener.context
            )
            one.listener.retiring[task] = frozenset(one.old.task_names())
            task.add_done_callback(one.listener.retiring.pop)


async def _let_requests_end(listener: Listener) -> None:
    seconds = listener.options.get("timeout_switch", SWITCH_SECONDS)
    if seconds > 0:
        limit = listener.options.get("limit_concurrency")
        most = MAX_WAITING if limit is None else min(MAX_WAITING, limit // 2)  # further requests would be refused
        await listener.gate.close(requests_in_flight(listener), seconds, most)


def _copy_state(application: NamedApplication, new: Any, batch: Batch) -> None:
    """Copy Starlette's `app.state` from the old application to the new one, except values that the new module's body
    has set.

    If an earlier version becomes current again, its own stale values are removed first.
    """
    before, after = old_states.values(application.current()), old_states.values(new)
    if before is not None and after is not None and before is not after:
        own = {} if application.module in batch.taken_back else after.copy()
        after.clear()
        after.update(before | own)


def _served_after(application: NamedApplication, batch: Batch) -> Any:
    """Return the application that is served after the switch; None if there is none."""
    if application.module in batch.modules:
        return application.in_version(batch.namespace(application.module))
    try:
        return application.current()
    except (LookupError, ImportError):
        return None


def _running() -> Iterator[tuple[Listener, NamedApplication, Lifespan]]:
    """Yield (listener, application, present lifespan) for each listener that serves an application now."""
    for listener in listeners().values():
        application = listener.application
        if isinstance(application, NamedApplication) and application.lifespan is not None:
            yield listener, application, application.lifespan


def _replaced(batch: Batch) -> Iterator[tuple[Listener, NamedApplication, Any]]:
    """Yield (listener, application, new) for each application that is another object in its module's new version.

    `application` is the present application of the listener; `new` is the object in the new version.
    """
    for listener, application, _ in _running():
        if application.module not in batch.modules:
            continue
        new = application.in_version(batch.namespace(application.module))
        if new is not None and new is not application.current():
            yield listener, application, new


def _startup_warnings(applications: Sequence[tuple[NamedApplication, Any]]) -> Iterator[str]:
    """Yield a sentence about the startups that run, and a sentence for each way in which startups await tasks."""
    startups: dict[str, str] = {}
    awaiting: dict[str, dict[str, None]] = {}
    for application, new in applications:
        functions = startup_functions(new)
        lifespan = application.lifespan
        if functions == [] or (functions is None and (lifespan is None or not lifespan.supported)):
            continue
        names = [f"{function.__module__}.{function.__qualname__}" for function in functions or ()]
        shown = f" ({', '.join(names)})" if names else ""
        startups[application.reference] = f"{application.reference}{shown}"
        for name, function in zip(names, functions or (), strict=True):
            if how := awaits_own_tasks(function):
                awaiting.setdefault(how, {})[name] = None
    listed = " and ".join(startups.values())
    if len(startups) == 1:
        yield (
            f"The startup of {listed} runs before the switch. A failed install can't undo what it did outside of "
            "the node."
        )
    elif startups:
        yield (
            f"The startups of {listed} run before the switch. A failed install can't undo what they did outside of "
            "the node."
        )
    for how, functions_that_wait in awaiting.items():
        named, one = " and ".join(functions_that_wait), len(functions_that_wait) == 1
        yield (
            f"{named} {'waits for tasks of its' if one else 'wait for tasks of their'} own ({how}), so these tasks run "
            "before the switch, beside those of the old startup."
        )


def take_part_in_installs() -> ListenersInInstalls:
    """Register the participant that acts for the listeners in the installs of the running runtime; return it."""
    participant = ListenersInInstalls()
    participants().add(participant)
    return participant
