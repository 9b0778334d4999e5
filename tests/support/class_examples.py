"""Classes of every kind that a load reuses, and a module to put them into."""

from __future__ import annotations

import textwrap

KINDS = {
    "dataclass": """
        @dataclass
        class Thing:
            x: int = 1
            y: list = field(default_factory=list)
            def double(self):
                return self.x * FACTOR
            @property
            def half(self):
                return self.x / 2
            @classmethod
            def make(cls):
                return cls(1)
    """,
    "frozen, ordered, slotted dataclass": """
        @dataclasses.dataclass(frozen=True, order=True, slots=True, kw_only=True)
        class Thing:
            x: int = 1
            y: "Thing | None" = field(default=None, repr=False, compare=False)
    """,
    "dataclass with super() and a cached property": """
        @dataclass
        class Base:
            x: int = 1
            def show(self):
                return "base"
        @dataclass
        class Thing(Base):
            y: dict[str, int] = field(default_factory=lambda: {"a": LIMIT})
            def show(self):
                return super().show()
            @functools.cached_property
            def cached(self):
                return Thing
            @staticmethod
            def one():
                return 1
    """,
    "exception": """
        class Base(Exception):
            pass
        class Thing(Base):
            code = 404
            def __init__(self, why="x"):
                super().__init__(why)
                self.why = helper(why)
    """,
    "enumeration": """
        @enum.unique
        class Thing(enum.Enum):
            RED = 1
            GREEN = enum.auto()
            def next(self):
                return Thing.GREEN
            @classmethod
            def default(cls):
                return cls.RED
            @property
            def label(self):
                return self.name.lower() + helper("")
    """,
    "enumeration with aliases, texts and own attributes": """
        class Thing(enum.StrEnum):
            A = "a"
            B = "b"
            ALSO_B = "b"
            def __init__(self, text):
                self.text = text
    """,
    "flag": """
        class Thing(enum.IntFlag):
            R = 1
            W = 2
            RW = R | W
    """,
    "typing.NamedTuple": """
        class Thing(typing.NamedTuple):
            x: int
            y: str = "y"
            def total(self):
                return self.x + LIMIT
    """,
    "collections.namedtuple": """
        Thing = collections.namedtuple("Thing", "x y", defaults=[None])
    """,
    "functional enumeration": """
        Thing = enum.Enum("Thing", "RED GREEN")
    """,
    "class with a second name": """
        class _Thing(Exception):
            pass
        Thing = _Thing
    """,
    "class with a subclass in its own module": """
        class Thing(Exception):
            def as_text(self):
                return f"{type(self).__name__}: {self}"
        class Special(Thing):
            pass
    """,
}

HEAD = """
import collections
import dataclasses
import enum
import functools
import typing
from dataclasses import dataclass, field
FACTOR = 2
LIMIT = (1, "x")
def helper(text):
    return deeper(text) if text else ""
def deeper(text):
    return helper(text[1:]) + text[:1]
"""


def module(text: str, *, head: str = HEAD, tail: str = "") -> str:
    """A module of the fixed head, a class and a part that differs between versions."""
    return head + textwrap.dedent(text) + tail
