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
    "plain class": """
        class Thing:
            limit = LIMIT
            def __init__(self, x=1):
                self.x = x
            def double(self):
                return self.x * FACTOR, helper("ab")
            def copy(self):
                return Thing(self.x)
    """,
    "plain class with slots": """
        class Thing:
            __slots__ = ("x",)
            def __init__(self, x=1):
                self.x = x
    """,
    "class of attrs": """
        import attrs
        @attrs.define
        class Thing:
            x: int = 1
            y: list = attrs.field(factory=list)
            def double(self):
                return self.x * FACTOR, helper("ab")
            def show(self):
                return super().__repr__()
    """,
    "frozen class of attrs, without slots": """
        import attr
        @attr.s(auto_attribs=True, frozen=True)
        class Thing:
            x: int = 1
            y: int = attr.ib(default=attr.Factory(lambda self: self.x + len(LIMIT), takes_self=True), kw_only=True)
    """,
    "model of pydantic": """
        from pydantic import BaseModel, Field, PrivateAttr
        class Base(BaseModel):
            number: int = Field(1, gt=0)
        class Thing(BaseModel):
            x: int = 1
            y: list[Base] = []
            z: dict[str, Base] = Field(default_factory=dict, alias="zed")
            _secret: int = PrivateAttr(default=5)
            def double(self):
                return self.x * FACTOR, helper("ab")
            def model_post_init(self, context):
                self._secret = LIMIT
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
