"""Executes the bodies of the current versions once more, to get the objects that the bodies alone make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from node_runtime.code.loading.execution_order import in_execution_order
from node_runtime.code.loading.staging import Stage, StagedVersion
from node_runtime.code.registrations import registrations_hidden, typing_overloads

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import Version


def repeat_bodies(table: ModuleTable, versions: Iterable[Version]) -> Iterator[tuple[str, Namespace]]:
    """Execute the bodies of current versions once more; yield each module with its new namespace.

    The bodies see each other's new namespaces, so they change no object that is in use. The registrations of the bodies
    are undone. Call this function only in a copy of the node.
    """
    repeated = list(versions)
    leaving = [one for version in repeated for one in version.registrations]
    with _RepeatedBodies(table, ()) as stage:
        staged = [stage.add(version.unit) for version in repeated]
        with registrations_hidden(leaving, stage.new_registrations):
            for one in in_execution_order(staged):
                with suppress(Exception):
                    stage.run(one)
                    yield one.managed.name, one.namespace


class _RepeatedBodies(Stage):
    """A stage whose bodies take over nothing from previous versions."""

    def _run(self, staged: StagedVersion) -> None:
        self._bind(staged)
        name = staged.managed.name
        self._executed[name] = staged.managed.module
        record = self._table.recorder.record(self.namespaces)
        with typing_overloads.collect_overloads(name), record as staged.registrations:
            exec(staged.unit.code, staged.namespace)
