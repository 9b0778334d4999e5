"""Arrays of NumPy whose items are Python objects. NumPy does not show these items to the cycle collector.

NumPy is recognised in `sys.modules`, and not imported by this module.
"""

from __future__ import annotations

import sys
from typing import Any


def is_array(cls: type) -> bool:
    """Return whether a class is NumPy's class of arrays, or a subclass of it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(cls, getattr(numpy, "ndarray", ()))


def items_of(array: Any) -> list[Any]:
    """Return the Python objects in an array, in C order; none if the items are numbers, texts or the like.

    For an array of records, the items are tuples.
    """
    numpy: Any = sys.modules["numpy"]
    dtype = numpy.ndarray.dtype.__get__(array)
    return list(numpy.ndarray.tolist(numpy.ndarray.ravel(array))) if dtype.hasobject else []
