"""Records that are made before the processes are held: used if they have not changed, and made again if they have."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from node_runtime.releases.migration import DefaultMigration, MadeAhead, TargetNamespaces, shapes_for
from tests.support.migrated import NAME, Versions, versions

RECORDS = """
    from dataclasses import dataclass, field
    from enum import Enum
    from pydantic import BaseModel

    class Kind(Enum):
        PLAIN = 1

    class Message(BaseModel):
        text: str
        tags: list[str] = []

    @dataclass
    class Author:
        name: str

    @dataclass(slots=True)
    class Post:
        title: str
        author: Author | None = None
        kind: Kind = Kind.PLAIN
        by_day: dict[str, int] = field(default_factory=dict)

    @dataclass
    class State:
        records: list = field(default_factory=list)
"""
GROWN = RECORDS.replace("text: str", "text: str\n        stars: int = 0").replace(
    "title: str", "title: str\n        stars: int = 0"
).replace("name: str", "name: str\n        stars: int = 0")  # fmt: skip


class Ahead:
    """The state of a process, whose records have been made ahead."""

    def __init__(self, both: Versions, records: str) -> None:
        self.state = both.old(f"State({records})")
        self._namespaces = TargetNamespaces({NAME: both.b})
        self.both = both
        self.made = MadeAhead(shapes_for(self._namespaces))
        for _ in self.made.make(self.state):
            pass

    def migrated(self) -> list[Any]:
        """Return the records of the new state."""
        list(self.made.close())
        migration = DefaultMigration(self._namespaces, self.made)
        new, _ = migration.migrate(self.state, "Owner")
        assert type(new) is self.both.b["State"]
        return list(new.records)


@contextmanager
def ahead(records: str, grown: str = GROWN) -> Iterator[Ahead]:
    with versions(RECORDS, grown) as both:
        yield Ahead(both, records)


MANY = "[*(Message(text=str(n), tags=['a']) for n in range(100)), *(Post(str(n)) for n in range(100))]"


def test_records_are_made_ahead_one_by_one() -> None:
    with ahead(MANY) as one:
        assert len(one.made) == 200
        new = one.migrated()
        assert [record.stars for record in new] == [0] * 200
        assert [record.text for record in new[:100]] == [str(n) for n in range(100)]
        assert [record.title for record in new[100:]] == [str(n) for n in range(100)]


def test_what_is_made_ahead_is_used() -> None:
    with ahead("[Message(text='a')] * 40") as one:
        new = one.migrated()
        assert len({id(record) for record in new}) == 1
        again = DefaultMigration(TargetNamespaces({NAME: one.both.b}), one.made).migrate(one.state, "Owner")[0]
        assert again.records[0] is new[0]


CHANGES: list[tuple[str, Callable[[Any], object], Callable[[Any], object], object]] = [
    ("Message(text='a', tags=['x'])", lambda old: setattr(old, "text", "b"), lambda new: new.text, "b"),
    ("Message(text='a', tags=['x'])", lambda old: old.tags.append("y"), lambda new: new.tags, ["x", "y"]),
    ("Post('a')", lambda old: setattr(old, "title", "b"), lambda new: new.title, "b"),
    ("Post('a', Author('b'))", lambda old: setattr(old.author, "name", "c"), lambda new: new.author.name, "c"),
    ("Post('a', by_day={'mon': 1})", lambda old: old.by_day.update(mon=2), lambda new: new.by_day, {"mon": 2}),
    (
        "Post('a', by_day={'mon': 1})",
        lambda old: old.by_day.update(tue=old.by_day.pop("mon")),
        lambda new: new.by_day,
        {"tue": 1},
    ),
]


@pytest.mark.parametrize(("record", "change", "read", "expected"), CHANGES)
def test_a_record_that_has_changed_since_then_is_made_again(
    record: str, change: Callable[[Any], object], read: Callable[[Any], object], expected: object
) -> None:
    with ahead(f"[{record}, *(Message(text=str(n)) for n in range(40))]") as one:
        assert len(one.made) == 41
        change(one.state.records[0])
        new = one.migrated()
        assert read(new[0]) == expected
        assert [record.text for record in new[1:]] == [str(n) for n in range(40)]


def test_what_comes_and_what_leaves_in_the_meantime_is_right() -> None:
    with ahead(MANY) as one:
        one.state.records = [one.both.old("Message(text='new')"), *one.state.records[5:]]
        new = one.migrated()
        assert [record.text for record in new[:3]] == ["new", "5", "6"]
        assert len(new) == 196


def test_an_object_that_two_records_share_stays_shared() -> None:
    with ahead(
        "(lambda one: [Post('a', one), Post('b', one), *(Message(text=str(n)) for n in range(40))])(Author('c'))"
    ) as one:
        first, second, *_ = one.migrated()
        assert first.author is second.author
        assert first.author.stars == 0


def test_a_record_that_the_state_holds_twice_stays_one() -> None:
    with ahead("(lambda one: [one, one, *(Message(text=str(n)) for n in range(40))])(Message(text='a'))") as one:
        first, second, *_ = one.migrated()
        assert first is second


def test_a_weak_reference_that_comes_in_the_meantime_is_found() -> None:
    with ahead("[Author('a'), *(Message(text=str(n)) for n in range(40))]") as one:
        reference = weakref.ref(one.state.records[0])
        with pytest.raises(Exception, match="weak references"):
            one.migrated()
        assert reference() is one.state.records[0]


def test_code_of_the_release_runs_only_when_the_processes_are_held() -> None:
    grown = GROWN.replace(
        "class Message(BaseModel):\n",
        "from pydantic import field_validator\n\n"
        "    class Message(BaseModel):\n"
        "        @field_validator('text')\n"
        "        @classmethod\n"
        "        def check(cls, text):\n"
        "            CHECKED.append(text)\n"
        "            return text\n",
    ).replace("by_day: dict[str, int] = field(default_factory=dict)", "day: int = field(default_factory=lambda: 3)")
    with ahead("[Post('p'), *(Message(text=str(n)) for n in range(40))]", grown + "    CHECKED = []\n") as one:
        assert len(one.made) == 0
        assert one.both.b["CHECKED"] == []
        new = one.migrated()
        assert len(new) == 41
        assert len(one.both.b["CHECKED"]) == 40


def test_all_is_released_in_steps() -> None:
    with ahead("[Author(str(n)) for n in range(200)]") as one:
        one.migrated()
        steps = sum(1 for _ in one.made.release())
        assert steps > 1
        assert len(one.made) == 0
