"""The findings of a default migration: what was migrated, what would be lost, and what can't be done."""

from __future__ import annotations

from typing import Any

import msgspec


class MigratedClass(msgspec.Struct, frozen=True):
    """A replaced class with instances in the value.

    `cls` is the name "module:Class". `path` is the place of the first instance in the value, such as
    `.orders[1].status`; it is "" if the value itself is the first instance. `count` is the number of instances. `added`
    are the fields or members that only the target's class has; `gone` are those that only the old class has.
    """

    cls: str
    path: str
    count: int
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class LostField(msgspec.Struct, frozen=True):
    """A field that the target's class lacks.

    `count` is the number of instances that have the field, and `with_data` the number of instances whose field holds
    data. A field holds no data if it is None, empty, or has its default.
    """

    cls: str
    field: str
    path: str
    count: int
    with_data: int

    def __str__(self) -> str:
        return f"{self.cls}.{self.field}"


class Obstacle(msgspec.Struct, frozen=True):
    """A reason why a value can't be migrated by default.

    `reason` is a clause that names the class and the field; `remedy` says what the release has to change. `path` is the
    place of the first part of the value with this obstacle, and `count` the number of such parts. `is_misfit` is
    whether the new value of a field doesn't fit the type that the target declares for the field.
    """

    cls: str
    field: str | None
    path: str
    reason: str
    remedy: str
    is_misfit: bool = False
    count: int = 1

    def __str__(self) -> str:
        return f"{self.reason} (at {self.path.lstrip('.')})" if self.path else self.reason


class Conversion(msgspec.Struct, frozen=True):
    """The result of a default migration.

    `value` is the new value, or the old value itself if no part of it has to change. If there are `obstacles`, `value`
    is unusable.
    """

    value: Any
    migrated: tuple[MigratedClass, ...] = ()
    lost: tuple[LostField, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
