"""In which order the bodies of a batch are executed.

Most of it is given by the import statements, for a module runs as soon as another one looks at it. Where to begin
matters for circles, which can often be entered in one place only. A boot has found that place for what is loaded. New
modules follow in the order in which the others name them, in functions too, for that is how a boot would come to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .staging import Staged


def in_order(staged: Collection[Staged]) -> list[Staged]:
    """Where to begin, one after the other; those that have run by then, because they were imported, are done."""
    loaded = {each.hot.name: each.hot.current.begun for each in staged if each.hot.current is not None}
    known = sorted((each for each in staged if each.hot.name in loaded), key=lambda each: loaded[each.hot.name])
    new = {each.hot.name: each for each in staged if each.hot.name not in loaded}
    return [*known, *_as_imported(known, new)] if new else known


def _as_imported(known: list[Staged], new: dict[str, Staged]) -> Iterator[Staged]:
    """First those that loaded modules import, then those that nobody does: the others are imported by one of these."""
    imported = {name for each in new.values() for name in _imported(each) if name != each.hot.name}
    first = [name for each in known for name in _imported(each)]
    waiting = [*first, *sorted(new, key=imported.__contains__)][::-1]
    while waiting:
        each = new.pop(waiting.pop(), None)
        if each is not None:
            yield each
            waiting += reversed(_imported(each))


def _imported(staged: Staged) -> list[str]:
    """What the module's import statements name, in their order; a name may be that of a submodule."""
    entries = staged.unit.imports.entries
    return [name for entry in entries for name in (entry.module, f"{entry.module}.{entry.name}")]
