"""The shape of aliases and unions of types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from node_runtime.code.classes.aliases import alias_parts, rebuilt_alias
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


class AliasShape(Shape):
    """The shape of a union, or of a generic class with arguments: `list[Point]`, `__orig_class__` of a `Box[int]()`."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name, inner in alias_parts(value).items():
            yield ("attribute", name), inner

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return rebuilt_alias(value, *map(part, alias_parts(value).values()))
