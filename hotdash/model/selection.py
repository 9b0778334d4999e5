"""What a selection holds on to: the thing itself, never the row that it happens to stand in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessKey:
    """One process for ever: a pid is never used twice within a boot."""

    boot_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class ChildKey:
    """A child specification that has no process."""

    boot_id: str
    supervisor: int
    child_id: str


@dataclass(frozen=True, slots=True)
class GroupKey:
    """An application, or the processes that belong to none."""

    name: str


@dataclass(frozen=True, slots=True)
class FoldKey:
    """The row that stands for the siblings which are folded away at a place of the tree."""

    path: str


Key = ProcessKey | ChildKey | GroupKey | FoldKey
