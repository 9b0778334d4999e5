"""code_change for all held processes of one class: their states are turned into new ones, which they don't have yet."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from node_runtime.behaviours.behaviour import Behaviour
from node_runtime.behaviours.code_in_use import CodeInUse
from node_runtime.behaviours.gen_statem import has_state
from node_runtime.behaviours.process import BehaviourProcess

from . import conditions


class CodeChangeFailed(Exception):
    """A code_change raised what is no Exception and would end more than the operation: SystemExit, for one."""


@dataclass(slots=True)
class Migration:
    """`states` are those of before, `after` what came of them so far, both in the order of `processes`.

    `target` is the class that they get. `failed` is the process that code_change failed for, and what it raised.
    """

    module: str
    code: CodeInUse
    target: type[Behaviour]
    processes: list[BehaviourProcess]
    states: list[Any]
    after: list[Any]
    failed: tuple[BehaviourProcess, BaseException] | None = None

    def run(self, change: Callable[[Any], Any], target_vsn: str) -> None:
        """Call `change` with each state. Raises what it raised, with a note that names the process."""
        after = self.after
        try:
            for state in self.states:
                after.append(change(state))
            self._check(target_vsn)
        except BaseException as error:  # nothing awaits here: whatever it is, the code_change raised it
            at = min(len(after), len(self.processes) - 1) if self.failed is None else 0
            process = self.processes[at] if self.failed is None else self.failed[0]
            self.failed = process, error
            note = f"code_change of {conditions.title(process)} ({self.module})"
            if isinstance(error, Exception):
                error.add_note(note)
                raise
            raise CodeChangeFailed(f"{note}: {type(error).__name__}: {error}") from error

    def _check(self, target_vsn: str) -> None:
        """Refuse what no process can go on with."""
        awaitable = {kind for kind in set(map(type, self.after)) if hasattr(kind, "__await__")}
        if awaitable:
            self._blame(
                next(one for one, new in zip(self.processes, self.after, strict=True) if type(new) in awaitable)
            )
            for coroutine in filter(inspect.iscoroutine, self.after):
                coroutine.close()
            raise TypeError("code_change must not be async: nothing may run while code is switched")
        if self.processes[0].kind != "gen_statem":
            return
        for process, (name, _) in zip(self.processes, self._named(), strict=True):
            if not has_state(self.target, name):  # type: ignore[arg-type]  # a state machine's class is one
                self._blame(process)
                raise ValueError(f"it returned state {name}, which {target_vsn} does not define")

    def _named(self) -> Sequence[tuple[Any, Any]]:
        for process, new in zip(self.processes, self.after, strict=True):
            if not isinstance(new, tuple) or len(new) != 2:
                self._blame(process)
                raise ValueError(f"it returned {type(new).__name__}, and a state machine's is (state, data)")
        return self.after

    def _blame(self, process: BehaviourProcess) -> None:
        self.failed = process, ValueError()
