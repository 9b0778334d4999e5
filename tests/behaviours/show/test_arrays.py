"""NumPy arrays in a state are shown with their type and shape."""

from __future__ import annotations

import subprocess
import sys

from node_runtime.behaviours.show.array_text import is_array_class
from node_runtime.behaviours.show.describe import describe

PROGRAM = """
import numpy
from node_runtime.behaviours.show.describe import describe

print(describe(numpy.zeros((3, 4))).text)
print(describe(numpy.array([1, 2], dtype="u1")).text)
print(describe(numpy.array(["2026-01-01"], dtype="M8[D]")).text)
print(describe(numpy.array([object()])).text)
print(describe(numpy.array(True)).text)
print(describe(numpy.zeros(1, dtype=[("a", "i4")])).text)
"""
"""A program of its own, because numpy's threads and fork handlers would stay in the process of the other tests."""


def test_an_array_is_shown_with_its_type_and_its_shape() -> None:
    line = [sys.executable, "-X", "utf8", "-c", PROGRAM]
    shown = subprocess.run(line, capture_output=True, encoding="utf-8", check=True)
    assert shown.stdout.splitlines() == [
        "‹numpy.ndarray float64 3x4›",
        "‹numpy.ndarray uint8 2›",
        "‹numpy.ndarray datetime64 1›",
        "‹numpy.ndarray object 1›",
        "‹numpy.ndarray bool no dimension›",
        "‹numpy.ndarray kind V 1›",
    ]


def test_a_class_that_only_has_the_name_of_an_array_is_none() -> None:
    class ndarray:  # noqa: N801  # the name of NumPy's class
        shape = dtype = property(lambda self: 1 / 0)

    ndarray.__module__, ndarray.__qualname__ = "numpy", "ndarray"
    assert not is_array_class(ndarray)
    assert "1 / 0" not in str(describe(ndarray()))
