"""A holder of an old version as the search over the heap has found it: with its identity, not only its texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from node_runtime.protocol.messages import OldCodeHolder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.protocol.messages import HolderKind

_KINDS_WITH_EQUAL_NAMES: Final[frozenset[HolderKind]] = frozenset({"task", "timer", "server", "executor", "callback"})


class FoundHolder(msgspec.Struct, frozen=True):
    """A holder, and the objects by which it holds an old version.

    `id` tells apart holders that may have the same name, such as timers; it is 0 for other kinds. `through` has the
    `id`s of the objects between the holder and the version's functions and classes, such as an instance of a class.
    Holders with a common object depend on each other. The search runs in a forked copy; the `id`s are the same in the
    original.
    """

    holder: OldCodeHolder
    id: int = 0
    through: frozenset[int] = frozenset()

    @property
    def key(self) -> tuple[int, str]:
        """What tells this holder from all others."""
        return self.id, self.holder.name

    def joined(self, other: FoundHolder) -> FoundHolder:
        """Return one description for two of the same holder, this one's where `other` is not more exact.

        That a holder runs the version says more than that it holds an object.
        """
        runs = other.holder.does.startswith("runs ") and not self.holder.does.startswith("runs ")
        exact, less = (other, self) if runs else (self, other)
        pid = less.holder.pid if exact.holder.pid is None else exact.holder.pid
        return FoundHolder(replace(exact.holder, pid=pid), self.id, self.through | other.through)


def found_holder(holder: OldCodeHolder, thing: object, through: frozenset[int] = frozenset()) -> FoundHolder:
    """Return `holder` as found; `thing` is the object that it describes."""
    return FoundHolder(holder, id(thing) if holder.kind in _KINDS_WITH_EQUAL_NAMES else 0, through)


def one_for_each_name(found: Iterable[FoundHolder]) -> list[OldCodeHolder]:
    """Return the holders for a list that people read, in which two equal names would not help."""
    by_name: dict[str, FoundHolder] = {}
    for one in found:
        known = by_name.get(one.holder.name)
        by_name[one.holder.name] = one if known is None else known.joined(one)
    return [one.holder for one in by_name.values()]
