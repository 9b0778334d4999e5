"""The shape of NumPy's arrays. A new array has the same dimensions, and the new objects as items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from node_runtime.behaviours.show.array_text import is_array_class
from node_runtime.code.classes.object_arrays import items_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


class ArrayShape(Shape):
    """The shape of an array. Only an array with Python objects has parts, so only such an array ever changes."""

    label = "numpy.ndarray"

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for number, item in enumerate(items_of(value)):
            yield ("item", number), item

    def refusal(self, value: Any) -> str | None:
        kind = "an array of records" if value.dtype.names is not None else "a view of an array"
        if not is_array_class(type(value)):
            kind = "an array of a subclass"
        elif value.dtype.names is None and value.base is None:
            return None
        return f"{kind} ({self.label}) holds an object of a class that is replaced, and can't be copied"

    def begin(self, value: Any) -> Any:
        return value.copy()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        flat = new.reshape(-1)
        for number, item in enumerate(items_of(value)):
            flat[number] = part(item)
        return new


ARRAY_SHAPE: Final = ArrayShape()
