"""The order in which the bodies of new versions are executed.

Import statements determine most of the order, because a body runs at the first access to its
module. In an import cycle, the first module matters: many cycles work only if one particular module
is imported first. So modules that are already loaded are in the order of their first execution,
which has worked. New modules follow in the order in which other modules import them, because a boot
would execute them in this order. Imports in functions count, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .staging import StagedVersion


def in_execution_order(staged: Collection[StagedVersion]) -> list[StagedVersion]:
    """Return the versions in the order in which to start their bodies.

    If an earlier body imports a module, the module's body runs during the import. The caller then skips the module.
    """
    loaded = {
        each.managed.name: each.managed.current.execution_index for each in staged if each.managed.current is not None
    }
    known = sorted((each for each in staged if each.managed.name in loaded), key=lambda each: loaded[each.managed.name])
    new = {each.managed.name: each for each in staged if each.managed.name not in loaded}
    return [*known, *_as_imported(known, new)] if new else known


def _as_imported(known: list[StagedVersion], new: dict[str, StagedVersion]) -> Iterator[StagedVersion]:
    """Yield the new modules, each followed by the new modules that it imports.

    The walk starts at the new modules that a loaded module imports, then at those that no module imports.
    """
    imported = {name for each in new.values() for name in _imported(each) if name != each.managed.name}
    first = [name for each in known for name in _imported(each)]
    waiting = [*first, *sorted(new, key=imported.__contains__)][::-1]
    while waiting:
        each = new.pop(waiting.pop(), None)
        if each is not None:
            yield each
            waiting += reversed(_imported(each))


def _imported(staged: StagedVersion) -> list[str]:
    """Return the modules that the import statements name; `from package import name` names two."""
    entries = staged.unit.imports.entries
    return [name for entry in entries for name in (entry.module, f"{entry.module}.{entry.name}")]
