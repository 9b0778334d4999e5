"""The code_change of a class that defines none: the default migration of its processes' states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from node_runtime.code import Batch
from node_runtime.gen_server import GenServer
from node_runtime.gen_statem import GenStatem

from .ahead import MadeAhead
from .conversion import Converter, shapes_for
from .findings import Conversion, LostField, Obstacle
from .targets import TargetNamespaces

_INHERITED: Final = tuple(vars(behaviour)["code_change"].__func__ for behaviour in (GenServer, GenStatem))
MAX_OBSTACLES: Final = 3
"""A message names at most this many obstacles."""


class NotMigratable(Exception):
    """The default migration can't make the new state. `remedy` says what the release has to change."""

    def __init__(self, obstacles: Sequence[Obstacle], owner: str) -> None:
        more = f"; and {len(obstacles) - MAX_OBSTACLES} more" if len(obstacles) > MAX_OBSTACLES else ""
        super().__init__(
            f"its state can't be migrated without a code_change: {'; '.join(map(str, obstacles[:MAX_OBSTACLES]))}{more}"
        )
        remedies = dict.fromkeys(one.remedy for one in obstacles if one.remedy)
        self.remedy = ", or ".join((*([" and ".join(remedies)] if remedies else []), f"write a code_change in {owner}"))
        self.is_misfit = all(one.is_misfit for one in obstacles)


class DefaultMigration:
    """The default migration to the namespaces of one target, for all processes of an install or of a rehearsal.

    A DefaultMigration keeps all old and new values, so drop it when the migration has ended.
    """

    def __init__(
        self, target_namespaces: TargetNamespaces, ahead: MadeAhead | None = None, adopted: Sequence[Any] = ()
    ) -> None:
        """Begin a migration.

        `ahead` has new objects that were made earlier. Such an object is used only if the old object has not changed
        since. `adopted` are the instances in global variables that will get the new class at the commit. They stay the
        same objects, also in the states.
        """
        self._converter = Converter(shapes_for(target_namespaces), adopted)
        if ahead is not None:
            ahead.adopt_into(self._converter)

    def migrate(self, state: Any, owner: str) -> tuple[Any, Sequence[LostField]]:
        """Return the new state, and the fields that the migration has dropped. Raises NotMigratable.

        `owner` is the name of the callback class.
        """
        done = self._converter.convert(state)
        if done.obstacles:
            raise NotMigratable(done.obstacles, owner)
        return done.value, done.lost

    def convert(self, value: Any) -> Conversion:
        """Return the new value for any value that is not the state of a process: see `Converter.convert`."""
        return self._converter.convert(value)


def inherits_code_change(cls: type[Any]) -> bool:
    """Return whether a callback class defines no code_change, so that the default migration makes its states."""
    return getattr(cls.code_change, "__func__", None) in _INHERITED


def namespaces_of(batch: Batch) -> TargetNamespaces:
    """Return the namespaces of a batch's new versions, and of the versions that they replace."""
    new = {**{module: batch.namespace(module) for module in batch.modules}, **{module: {} for module in batch.deleted}}
    return TargetNamespaces(new, batch.replaced_namespaces())
