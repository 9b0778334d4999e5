"""The migration of the suspended processes of one class: code_change makes their new states."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from node_runtime.behaviours.upgrade.live_processes import Behaviour, BehaviourProcess, CallbackVersion
from node_runtime.code import ModuleEntries
from node_runtime.gen_statem import GenStatem, has_state
from node_runtime.processes.exit_reasons import DescribedError, describe_reason
from node_runtime.releases.planning import conditions

from .noted_errors import with_note

ENTRIES_REMEDY: Final = "correct the code_change and build the release under a new vsn"


class CodeChangeFailed(Exception):
    """A code_change raised an error such as SystemExit, which is not an Exception and would end the node."""


@dataclass(slots=True)
class Migration:
    """The migration of the suspended processes of one class.

    `states` are their old states and `after` the new states made so far, both in the order of `processes`. `target` is
    the new class. `failed` is the process for which code_change failed, with the error.
    """

    module: str
    code: CallbackVersion
    target: type[Behaviour]
    processes: list[BehaviourProcess]
    states: list[Any]
    after: list[Any]
    failed: tuple[BehaviourProcess, BaseException] | None = None

    def run(
        self, change_all: Callable[[Iterable[Any]], Iterable[Any]], target_vsn: str, modules: Iterable[str]
    ) -> None:
        """Make the new states. An error of a code_change is raised with a note that names the process.

        The entries of `modules` in `sys.modules` stay as they are: a code_change that changes one of them fails.
        """
        entries, changed = ModuleEntries(modules), None
        try:
            with _outside_of_task():
                self.after.extend(change_all(self.states))  # a loop in C: the processes wait for it
            if len(self.after) < len(self.states):
                raise RuntimeError("code_change raised StopIteration")  # the error would end the loop silently
        except Exception as error:
            raise with_note(error, self._blame(self.processes[len(self.after)], error))  # noqa: B904  # it is the same error, if possible
        except BaseException as error:
            # code_change raised it: without an await, it can't be a cancellation.
            note = self._blame(self.processes[len(self.after)], error)
            raise CodeChangeFailed(f"{note}: {describe_reason(error)}") from error
        finally:
            changed = entries.put_back()
        if changed is not None:
            raise self._blamed(self.processes[0], DescribedError(f"it {changed}; {ENTRIES_REMEDY}"))
        self._check_awaitable()
        if self.processes[0].kind == "gen_statem":
            self._check_named(target_vsn)

    def _check_awaitable(self) -> None:
        awaitable = {kind for kind in set(map(type, self.after)) if hasattr(kind, "__await__")}
        if awaitable:
            for coroutine in filter(inspect.iscoroutine, self.after):
                coroutine.close()
            both = zip(self.processes, self.after, strict=True)
            process = next(process for process, new in both if type(new) in awaitable)
            error = TypeError("code_change must not be async, because no other code may run while the code is switched")
            raise self._blamed(process, error)

    def _check_named(self, target_vsn: str) -> None:
        """Check that code_change returned (name, data) for each state machine, and that the new class has the state."""
        for process, new in zip(self.processes, self.after, strict=True):
            if type(new) is not tuple or len(new) != 2:
                error: Exception = TypeError(f"code_change returned {type(new).__name__} instead of (name, data)")
                raise self._blamed(process, error)
            if not has_state(cast("type[GenStatem[Any]]", self.target), new[0]):
                error = ValueError(
                    f"code_change returned the state {new[0]}, which release {target_vsn} does not define"
                )
                raise self._blamed(process, error)

    def _blame(self, process: BehaviourProcess, error: BaseException) -> str:
        self.failed = process, error
        return f"code_change of {conditions.process_label(process)} ({self.module})"

    def _blamed(self, process: BehaviourProcess, error: Exception) -> Exception:
        error.add_note(self._blame(process, error))
        return error


@contextmanager
def _outside_of_task() -> Iterator[None]:
    """Run the block outside of the current task, as in a rehearsal: a code_change must not cancel the install."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is None:
        yield
        return
    asyncio.tasks._leave_task(loop, task)
    try:
        yield
    finally:
        asyncio.tasks._enter_task(loop, task)
