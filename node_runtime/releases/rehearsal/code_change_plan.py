"""The code_change functions that a rehearsal calls, looked up once for each class, not once for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from node_runtime import Down
from node_runtime.code import Batch, ModuleEntries, Version, module_view
from node_runtime.releases.migration import (
    DefaultMigration,
    LostField,
    NotMigratable,
    TargetNamespaces,
    inherits_code_change,
    namespaces_of,
)
from node_runtime.releases.planning import conditions

from .guarded_call import WrongResult
from .script_steps import ModuleCodeChange, ProcessCodeChange
from .states.declared_state import declared_state
from .states.state_check import StateClass

CodeChangeCall = Callable[[Any], tuple[Any, Sequence[LostField]]]
"""Returns a new state, and the fields that it lacks. Raises what the code_change raises, or WrongResult."""


class ClassPlan(msgspec.Struct, frozen=True):
    """The migration of the processes of one class.

    `change` is the code_change that the install will call. It makes states for the class `new`. `back` is the
    code_change that a return to the running release would call; None if the return would call none. It makes states for
    the class `running` again.
    """

    change: CodeChangeCall
    back: CodeChangeCall | None
    new: StateClass
    running: StateClass


class ClassPlans:
    """The class plans of one rehearsal. `running` has the running versions by module.

    `releases` are the vsns of the running release and of the target. `managed` are the modules whose entries in
    `sys.modules` a code_change must not change. As in an install, these are all modules of the code server.
    """

    def __init__(
        self, batch: Batch, running: Mapping[str, Version], releases: tuple[str, str], managed: Iterable[str]
    ) -> None:
        self._releases = releases
        self._managed = managed
        new = {module: batch.version(module) for module in running if module in batch.modules}
        self._new: Final = {module: new.get(module, version) for module, version in running.items()}
        self._running = running
        self._plans: dict[tuple[int, str, type[Any]], ClassPlan] = {}
        targets = namespaces_of(batch)
        self._default = DefaultMigration(targets)
        left = {module: running[module].namespace if module in running else {} for module in targets.modules}
        self._default_back = DefaultMigration(TargetNamespaces(left, targets.modules))

    def earlier(self) -> dict[str, dict[str, Any]]:
        """Return the namespaces of the running versions by module, in a new dict."""
        return {module: version.namespace for module, version in self._running.items()}

    def find(self, part: ProcessCodeChange) -> ClassPlan:
        """Return the plan for the class of a process. Raises LookupError if the old or new version lacks the class."""
        key = (id(part.change), part.process.qualname, type(part.process.instance))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make(part)
        return plan

    def _make(self, part: ProcessCodeChange) -> ClassPlan:
        module, name = part.change.module, part.process.qualname
        running, new = self._running[module], self._new[module]
        up = part.change.direction == "up"
        target = self._class(module, name, new=True)
        changing = self._class(module, name, new=up or part.change.loaded)
        left = type(part.process.instance)
        back = [
            _bind(
                self._class(module, name, new=up and not change.loaded),
                _down_to(running) if up else new.vsn,
                change,
                self._default_back,
                self._managed,
            )
            for change in part.back
        ]
        return ClassPlan(
            _bind(changing, running.vsn if up else _down_to(new), part.change, self._default, self._managed),
            _one_after_the_other(back) if back else None,
            StateClass(target, declared_state(target, new.namespace), self._releases[1]),
            StateClass(left, declared_state(left, running.namespace), self._releases[0]),
        )

    def _class(self, module: str, name: str, *, new: bool) -> Any:
        cls = conditions.class_in((self._new if new else self._running)[module].namespace, name)
        if cls is None:
            raise LookupError(f"{module} has no class {name}")
        return cls


def _down_to(version: Version) -> Down:
    return Down(version.vsn, module_view(version.namespace))


def _one_after_the_other(changes: Sequence[CodeChangeCall]) -> CodeChangeCall:
    """Return a function that calls several code_changes, each with the state that the previous one has returned."""

    def change_all(state: Any) -> tuple[Any, Sequence[LostField]]:
        lost: list[LostField] = []
        for change in changes:
            state, dropped = change(state)
            lost += dropped
        return state, lost

    return change_all if len(changes) > 1 else changes[0]


def _bind(
    cls: Any, vsn: str | Down, change: ModuleCodeChange, default: DefaultMigration, modules: Iterable[str]
) -> CodeChangeCall:
    extra = change.extra

    def code_change(state: Any) -> tuple[Any, Sequence[LostField]]:
        entries, changed = ModuleEntries(modules), None
        try:
            made = cls.code_change(vsn, state, extra)
        finally:
            changed = entries.put_back()
        if changed is not None:
            raise WrongResult("raised", f"its code_change {changed}")
        return made, ()

    def migrate(state: Any) -> tuple[Any, Sequence[LostField]]:
        try:
            return default.migrate(state, cls.__qualname__)
        except NotMigratable as error:
            raise WrongResult("wrong type" if error.is_misfit else "raised", str(error), error.remedy) from None

    return migrate if inherits_code_change(cls) else code_change
