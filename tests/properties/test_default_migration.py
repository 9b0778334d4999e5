"""Random pairs of definitions and random values: the default migration goes up and comes back without silent loss."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hypothesis_profiles import PROFILE
from tests.support.migrated import Versions, versions

pytest.importorskip("pydantic")
pytest.importorskip("attr")

HEAD = """
    import attrs, enum, msgspec
    from dataclasses import dataclass, field
    from typing import NamedTuple, Optional
    from pydantic import BaseModel, Field
"""
KINDS = {
    "dataclass": "@dataclass\nclass Thing:\n{}",
    "slotted dataclass": "@dataclass(slots=True, kw_only=True)\nclass Thing:\n{}",
    "frozen dataclass": "@dataclass(frozen=True)\nclass Thing:\n{}",
    "attrs": "@attrs.define\nclass Thing:\n{}",
    "attrs without slots": "@attrs.define(slots=False)\nclass Thing:\n{}",
    "pydantic": "class Thing(BaseModel):\n{}",
    "named tuple": "class Thing(NamedTuple):\n{}",
    "struct": "class Thing(msgspec.Struct, kw_only=True):\n{}",
    "frozen struct": "class Thing(msgspec.Struct, frozen=True, tag=True, array_like=True):\n{}",
}
TYPES = {
    "int": st.integers(-9, 9),
    "str": st.text("ab", max_size=2),
    "Optional[int]": st.none() | st.integers(0, 9),
    "list[int]": st.lists(st.integers(0, 9), max_size=2),
    "dict[str, int]": st.dictionaries(st.text("ab", max_size=1), st.integers(0, 9), max_size=2),
    "Colour": st.sampled_from(["Colour.RED", "Colour.BLUE"]),
    "list[Colour]": st.lists(st.sampled_from(["Colour.RED", "Colour.BLUE"]), max_size=2),
}
DEFAULTS = {
    "int": "0", "str": "''", "Optional[int]": "None", "list[int]": "()", "dict[str, int]": "()", "Colour": "Colour.RED",
    "list[Colour]": "()",
}  # fmt: skip
FIELDS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(list(TYPES)), max_size=4)


@dataclass
class Pair:
    """The kind of the class and its fields with their types in each version, and the members of an enumeration."""

    kinds: tuple[str, str]
    fields: tuple[dict[str, str], dict[str, str]]
    values: dict[str, Any]

    def source(self, number: int) -> str:
        """A version of the module."""
        colours = ["RED", "BLUE"] if number == 0 else ["GREEN", "BLUE", "RED"]
        enumeration = "class Colour(enum.Enum):\n" + "".join(f"    {one} = {at}\n" for at, one in enumerate(colours))
        lines = [f"    {name}: {kind} = {self._default(number, kind)}" for name, kind in self.fields[number].items()]
        thing = KINDS[self.kinds[number]].format("\n".join(lines) or "    pass")
        return textwrap.dedent(HEAD) + enumeration + thing

    def _default(self, number: int, kind: str) -> str:
        if DEFAULTS[kind] != "()":
            return DEFAULTS[kind]
        factory = "list" if kind.startswith("list") else "dict"
        library = self.kinds[number]
        if library.startswith("attrs"):
            return f"attrs.field(factory={factory})"
        if library.endswith("struct"):
            return f"msgspec.field(default_factory={factory})"
        if library == "pydantic":
            return f"Field(default_factory={factory})"
        return (
            "[]"
            if library == "named tuple" and factory == "list"
            else ("{}" if library == "named tuple" else f"field(default_factory={factory})")
        )

    def make(self, both: Versions) -> Any:
        """The value, in the first version."""
        arguments = ", ".join(f"{name}={_written(value)}" for name, value in self.values.items())
        return both.old(f"Thing({arguments})")


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return value if isinstance(value, str) and value.startswith("Colour.") else repr(value)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Two versions of a class, and a value of the first one."""
    before = draw(FIELDS)
    after = draw(FIELDS)
    kinds = draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(list(KINDS)))
    values = {name: draw(TYPES[kind]) for name, kind in before.items()}
    return Pair(kinds, (before, after), values)


def plain(value: Any) -> Any:
    """A value without the version of its classes."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.name if type(value).__name__ == "Colour" else value


@settings(PROFILE, max_examples=max(40, PROFILE.max_examples // 4))
@given(pairs())
def test_up_and_down(pair: Pair) -> None:
    before, after = pair.fields
    with versions(pair.source(0), pair.source(1)) as both:
        old = pair.make(both)
        contents = {name: plain(getattr(old, name)) for name in before}
        done = both.up(old)
        assert {name: plain(getattr(old, name)) for name in before} == contents, "the old value is unchanged"
        if done.obstacles:
            named = {one.field for one in done.obstacles}
            assert named <= {name for name in before.keys() & after.keys() if before[name] != after[name]}
            return
        new = done.value
        assert type(new) is both.b["Thing"]
        shared = before.keys() & after.keys()
        assert {name: plain(getattr(new, name)) for name in shared} == {name: contents[name] for name in shared}
        assert {one.field for one in done.lost} == before.keys() - after.keys()
        assert {one.field for one in done.lost if one.with_data} >= {
            name for name in before.keys() - after.keys() if contents[name] not in (None, 0, "", [], {}, "RED")
        }
        back = both.down(new)
        assert not back.obstacles
        assert {name: plain(getattr(back.value, name)) for name in shared} == {name: contents[name] for name in shared}
        assert {one.field for one in back.lost} == after.keys() - before.keys()
