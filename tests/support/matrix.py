"""The parameters of a test of which `make test` tries a selection, and `make test-all` all."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def matrix(rows: Iterable[object], columns: Iterable[object]) -> list[ParameterSet]:
    """All pairs of a row and a column.

    The pairs that are not on a diagonal are marked `slow`. So `make test` has each row and each column at least once,
    and `make test-all` each pair.
    """
    down, across = list(rows), list(columns)
    turn = min(len(down), len(across))
    return [
        pytest.param(row, column, marks=() if (i - j) % turn == 0 else pytest.mark.slow)
        for i, row in enumerate(down)
        for j, column in enumerate(across)
    ]


def slow(*parameters: object) -> list[ParameterSet]:
    """These parameters, which `make test` leaves to `make test-all`."""
    return [pytest.param(each, marks=pytest.mark.slow) for each in parameters]
