"""NumPy arrays in a state are shown with their type and shape."""

from __future__ import annotations

import pytest

from node_runtime.behaviours.show.array_text import is_array_class
from node_runtime.behaviours.show.describe import describe


def test_an_array_is_shown_with_its_type_and_its_shape() -> None:
    numpy = pytest.importorskip("numpy")
    shown = {
        "‹numpy.ndarray float64 3x4›": numpy.zeros((3, 4)),
        "‹numpy.ndarray uint8 2›": numpy.array([1, 2], dtype="u1"),
        "‹numpy.ndarray datetime64 1›": numpy.array(["2026-01-01"], dtype="M8[D]"),
        "‹numpy.ndarray object 1›": numpy.array([object()]),
        "‹numpy.ndarray bool no dimension›": numpy.array(True),
        "‹numpy.ndarray kind V 1›": numpy.zeros(1, dtype=[("a", "i4")]),
    }
    assert [describe(array).text for array in shown.values()] == list(shown)


def test_a_class_that_only_has_the_name_of_an_array_is_none() -> None:
    class ndarray:  # noqa: N801  # the name of NumPy's class
        shape = dtype = property(lambda self: 1 / 0)

    ndarray.__module__, ndarray.__qualname__ = "numpy", "ndarray"
    assert not is_array_class(ndarray)
    assert "1 / 0" not in str(describe(ndarray()))
