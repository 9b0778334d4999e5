"""The code_change functions that a rehearsal calls, looked up once for each class, not for each of its processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from node_runtime import Down
from node_runtime.code import Batch, Version, module_view
from node_runtime.releases.planning import conditions

from .declared_state import declared_state
from .script_steps import ModuleCodeChange, ProcessCodeChange
from .state_check import StateClass


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """The migration of the processes of one class.

    `change` is the code_change that the install will call, which makes states for the class `new`. `back` is the
    code_change of the way back, which makes states for the class `running` again; None if there is none.
    """

    change: Callable[[Any], Any]
    back: Callable[[Any], Any] | None
    new: StateClass
    running: StateClass


class ClassPlans:
    """The class plans of one rehearsal. `running` has the running versions by module.

    `releases` are the vsns of the running release and of the target.
    """

    def __init__(self, batch: Batch, running: Mapping[str, Version], releases: tuple[str, str]) -> None:
        self._releases = releases
        new = {module: batch.version(module) for module in running if module in batch.modules}
        self._new: Final = {module: new.get(module, version) for module, version in running.items()}
        self._running = running
        self._plans: dict[tuple[int, str, type[Any]], ClassPlan] = {}

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
        left, back = type(part.process.instance), None
        if part.back is not None:
            returning = self._class(module, name, new=up and not part.back.loaded)
            back = _bind(returning, _down_to(running) if up else new.vsn, part.back)
        return ClassPlan(
            _bind(changing, running.vsn if up else _down_to(new), part.change),
            back,
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


def _bind(cls: Any, vsn: str | Down, change: ModuleCodeChange) -> Callable[[Any], Any]:
    extra = change.extra

    def code_change(state: Any) -> Any:
        return cls.code_change(vsn, state, extra)

    return code_change
