"""What the processes of one class have in common in a rehearsal: found once, for there may be very many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from node_runtime import Down
from node_runtime.code import Batch, Version
from node_runtime.releases.planning import conditions

from .declared_state import declared_state
from .script_steps import Change, Part


@dataclass(frozen=True, slots=True)
class Role:
    """`change` makes the new state, as the switch will; `back` is the same on the way down, None if it has none there.

    `target` is the class of afterwards. States are `declared` as its, and were `held` as those of the running class.
    """

    change: Callable[[Any], Any]
    back: Callable[[Any], Any] | None
    target: type[Any]
    declared: Any
    held: Any


class Roles:
    """`running` has the present version of each module of the script."""

    def __init__(self, batch: Batch, running: Mapping[str, Version]) -> None:
        new = {module: batch.version(module) for module in running if module in batch.modules}
        self._new: Final = {module: new.get(module, version) for module, version in running.items()}
        self._running = running
        self._known: dict[tuple[int, str, type[Any]], Role] = {}

    def earlier(self) -> dict[str, dict[str, Any]]:
        """The namespaces that are current until the script has loaded or removed their modules."""
        return {module: version.namespace for module, version in self._running.items()}

    def of(self, part: Part) -> Role:
        """The role of a process. Raises LookupError if its class is not there any more."""
        key = (id(part.change), part.process.qualname, type(part.process.instance))
        role = self._known.get(key)
        if role is None:
            role = self._known[key] = self._made(part)
        return role

    def _made(self, part: Part) -> Role:
        module, name = part.change.module, part.process.qualname
        old_vsn, new_vsn = self._running[module].vsn, self._new[module].vsn
        up = part.change.direction == "up"
        target = self._class(module, name, new=True)
        changing = self._class(module, name, new=up or part.change.loaded)
        back = None
        if part.back is not None:
            back = _bound(self._class(module, name, new=not part.back.loaded), Down(old_vsn), part.back)
        return Role(
            _bound(changing, old_vsn if up else Down(new_vsn), part.change),
            back,
            target,
            declared_state(target, self._new[module].namespace),
            declared_state(type(part.process.instance), self._running[module].namespace),
        )

    def _class(self, module: str, name: str, *, new: bool) -> Any:
        cls = conditions.class_in((self._new if new else self._running)[module].namespace, name)
        if cls is None:
            raise LookupError(f"{module} has no class {name}")
        return cls


def _bound(cls: Any, vsn: str | Down, change: Change) -> Callable[[Any], Any]:
    extra = change.extra

    def code_change(state: Any) -> Any:
        return cls.code_change(vsn, state, extra)

    return code_change
