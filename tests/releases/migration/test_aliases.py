"""The default migration of aliases and unions of types: each becomes that of the target's classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.migrated import Versions, versions

SOURCE = """
    import collections.abc
    from typing import *
    class Thing:
        release = 1
    class Other:
        release = 1
    T, P = TypeVar("T"), ParamSpec("P")
    class Box(Generic[T]):
        release = 1
    class Call(Generic[P]):
        release = 1
    Id = NewType("Id", Thing)
"""


@pytest.fixture(scope="module")
def both() -> Iterator[Versions]:
    with versions(SOURCE, SOURCE.replace("release = 1", "release = 2")) as made:
        yield made


@pytest.mark.parametrize(
    "alias",
    [
        *(
            "Optional[Thing]",
            "Thing | None",
            "int | Thing | Other",
            "Union[Thing, list[Thing], None]",
            "list[Thing] | None",
        ),
        *("list[Thing]", "Dict[str, Thing]", "Tuple[Thing, ...]", "Type[Thing]", "ClassVar[Thing]", "TypeGuard[Thing]"),
        *('Annotated[Thing, "x"]', "Annotated[int, Thing]", "Annotated[Optional[Thing], 1] | None"),
        *("Callable[[Thing], int]", "Callable[..., Thing]", "Callable[Concatenate[Thing, P], T]"),
        *("collections.abc.Callable[[Thing], int]", "collections.abc.Awaitable[Thing]"),
        *("Box[Thing]", "Box[Optional[Box[int]]]", "Call[[Thing, int]]", "Call[...]", "Unpack[tuple[Thing, ...]]"),
        *("next(iter(tuple[Thing, ...]))", "Id", "dict[Id, T]"),
    ],
)
def test_an_alias_is_that_of_the_new_classes(both: Versions, alias: str) -> None:
    (new,) = both.migrated(f"[{alias}]")
    expected = eval(alias, both.b)
    assert new == expected
    assert repr(new) == repr(expected)
    assert (type(new), getattr(new, "__parameters__", None)) == (
        type(expected),
        getattr(expected, "__parameters__", None),
    )
    assert both.down([new]).value == [both.old(alias)]


def test_an_alias_of_other_classes_stays_the_same(both: Versions) -> None:
    value = both.old("[int | None, Optional[int], Annotated[int, 1], collections.abc.Callable[[int], str]]")
    assert both.up(value).value is value


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is new in Python 3.12")
def test_an_alias_of_a_type_statement_is_that_of_the_new_version() -> None:
    with versions(
        "class Thing: pass\ntype Things = list[Thing]", "class Thing: pass\ntype Things = list[Thing]"
    ) as both:
        assert both.migrated("[Things]") == [both.b["Things"]]
