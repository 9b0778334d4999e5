"""A holder of an old version, with its `id` and the `id`s of the objects through which it holds the version."""

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

    `id` distinguishes holders that may have the same name, such as timers; it is 0 for other kinds. `through` has the
    `id`s of the objects between the holder and the version's functions and classes, such as an instance of a class.
    Holders with a common object depend on each other. The search runs in a forked copy of the node; the `id`s are the
    same in the node itself.
    """

    holder: OldCodeHolder
    id: int = 0
    through: frozenset[int] = frozenset()

    @property
    def key(self) -> tuple[int, str]:
        """A key that no other holder has."""
        return self.id, self.holder.name

    def joined(self, other: FoundHolder) -> FoundHolder:
        """Join two descriptions of the same holder.

        "Runs the version" is more exact than "holds an object", so it wins. Otherwise, this description wins.
        """
        runs = other.holder.does.startswith("runs ") and not self.holder.does.startswith("runs ")
        exact, less = (other, self) if runs else (self, other)
        pid = less.holder.pid if exact.holder.pid is None else exact.holder.pid
        return FoundHolder(replace(exact.holder, pid=pid), self.id, self.through | other.through)


def found_holder(holder: OldCodeHolder, thing: object, through: frozenset[int] = frozenset()) -> FoundHolder:
    """Return `holder` as found; `thing` is the object that it describes."""
    return FoundHolder(holder, id(thing) if holder.kind in _KINDS_WITH_EQUAL_NAMES else 0, through)


def one_for_each_name(found: Iterable[FoundHolder]) -> list[OldCodeHolder]:
    """Return the holders for a list that people read: one for each name."""
    by_name: dict[str, FoundHolder] = {}
    for one in found:
        known = by_name.get(one.holder.name)
        by_name[one.holder.name] = one if known is None else known.joined(one)
    return [one.holder for one in by_name.values()]
