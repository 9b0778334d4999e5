"""The keys that a TypedDict requires, although its annotations are text: this file has the future import."""

from __future__ import annotations

import typing as t
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, Required, TypedDict

import pytest

from node_runtime.code.classes.annotation_fit import find_misfit
from node_runtime.code.classes.required_keys import required_keys
from node_runtime.releases.rehearsal.states.declared_state import fits

if TYPE_CHECKING:
    from decimal import Decimal


class Total(TypedDict):
    a: Decimal
    b: NotRequired[Decimal]
    c: Annotated[t.NotRequired[int], "text"]


class Partial(TypedDict, total=False):
    a: int
    b: Required[int]


class Child(Total, total=False):
    d: int
    e: t.Required[list[NotRequiredName]]


NotRequiredName = int


class Redefined(Total):
    c: Required[int]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("cls", "keys"),
    [(Total, {"a"}), (Partial, {"b"}), (Child, {"a", "e"}), (Redefined, {"a", "c"})],
)
def test_a_key_is_required_as_its_annotation_says(cls: Any, keys: set[str]) -> None:
    assert required_keys(cls) == keys


def test_a_dict_without_a_key_that_is_not_required_fits() -> None:
    assert fits({"a": 1}, Total)
    assert not fits({"b": 1}, Total)
    assert find_misfit({"a": 1}, Total, {}) is None
    assert find_misfit({"b": 1}, Total, {}) is not None
