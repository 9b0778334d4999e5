"""A class that changed, or may have changed, is a new class in the next version."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.support.class_examples import HEAD, KINDS, module
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

CHANGES = {
    "a field": ("x: int = 1", "x: int = 2"),
    "a field's type": ("x: int = 1", "x: float = 1"),
    "another field": ("x: int = 1", "x: int = 1\n            z: int = 2"),
    "a method's code": ("self.x * FACTOR", "self.x + FACTOR"),
    "a constant that a method reads": ("FACTOR = 2", "FACTOR = 3"),
    "a helper of a helper": ("text[:1]", "text[:2]"),
    "a default of a method": ("def double(self)", "def double(self, by=1)"),
    "a docstring": ("class Thing:", "class Thing:\n            '''Says so.'''"),
    "the decorator": ("@dataclass\n        class Thing", "@dataclass(order=True)\n        class Thing"),
    "a base": ("class Thing:", "class Thing(collections.UserString):"),
    "what a name means": (
        "from dataclasses import dataclass, field",
        "from dataclasses import dataclass, field\ndeeper = str",
    ),
}
CHANGING = KINDS["dataclass"].replace("return self.x * FACTOR", "return self.x * FACTOR, helper('ab')")


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_class_is_a_new_class(app: App, change: str) -> None:
    was, becomes = CHANGES[change]
    app.boot(a=module(CHANGING))
    a = imported("a")
    thing, first = a.Thing, a.Thing(1)
    text = HEAD + CHANGING
    assert was in text
    head, _, body = text.replace(was, becomes).partition("\n        @dataclass")
    batch = app.load(a=module("        @dataclass" + body, head=head + "\n"))
    assert a.Thing is not thing
    assert not isinstance(first, a.Thing)
    assert first.double() == (2, "ba")
    batch.revert()
    assert a.Thing is thing
    assert isinstance(first, a.Thing)


NOT_CARRIED = {
    "a model with a validator": """
        from pydantic import BaseModel, field_validator
        class Thing(BaseModel):
            x: int = 1
            @field_validator("x")
            @classmethod
            def check(cls, value):
                return value
    """,
    "a model with a default factory of its own": """
        from pydantic import BaseModel, Field
        class Thing(BaseModel):
            x: int = Field(default_factory=lambda: 1)
    """,
    "a class of attrs with a validator": """
        import attrs
        @attrs.define
        class Thing:
            x: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))
    """,
    "a plain class with a list that has grown": """
        class Thing:
            seen = []
        Thing.seen.append(object())
    """,
    "registered by a decorator": """
        KNOWN = []
        def note(cls):
            KNOWN.append(cls)
            return cls
        @note
        class Thing(Exception): ...
    """,
    "made by a function": """
        def make():
            return type("Thing", (Exception,), {"__module__": __name__})
        Thing = make()
    """,
    "announced to a base": """
        class Base(Exception):
            def __init_subclass__(cls): ...
        class Thing(Base): ...
    """,
    "of a metaclass of its own": """
        class Meta(type): ...
        class Thing(Exception, metaclass=Meta): ...
    """,
    "state of the class": """
        class Thing(Exception):
            seen = [object()]
    """,
    "a module's state read": """
        SEEN = []
        class Thing(Exception):
            def f(self):
                return SEEN
    """,
    "a name bound below": """
        class Thing(Exception):
            def f(self):
                return later()
        def later():
            return 1
    """,
    "a name bound twice": """
        N = 1
        class Thing(Exception):
            def f(self):
                return N
        N = 1
    """,
    "a name that a function binds": """
        N = 1
        class Thing(Exception):
            def f(self):
                return N
        def g():
            global N
            N = 2
    """,
    "a class in it": """
        class Thing(Exception):
            class Inner: ...
    """,
    "assigned to afterwards": """
        class Thing(Exception): ...
        Thing.limit = 1
    """,
    "bound twice": """
        class Thing(Exception): ...
        Thing = Thing
    """,
    "based on a class that is not carried": """
        class Base:
            one = object()
        class Thing(Base, Exception): ...
    """,
    "unknown objects as values": """
        import enum
        class Thing(enum.Enum):
            A = object()
    """,
    "functions as values": """
        import enum
        class Thing(enum.Enum):
            A = (lambda: 1,)
    """,
    "another member": """
        import enum
        class Thing(enum.Enum):
            A = {n}
    """,
    "an unknown object in a namespace": """
        class Thing(Exception):
            hook = [].append
    """,
}


@pytest.mark.parametrize("case", NOT_CARRIED)
def test_a_class_that_may_have_changed_is_not_carried_over(app: App, case: str) -> None:
    text = textwrap.dedent(NOT_CARRIED[case])
    app.boot(a=text.replace("{n}", "1") + "X = 1\n")
    a = imported("a")
    thing = a.Thing
    app.load(a=text.replace("{n}", "2") + "X = 2\n")
    assert a.X == 2
    assert a.Thing is not thing


def test_an_instance_of_a_replaced_class_has_its_old_functions(app: App) -> None:
    app.boot(a=module(CHANGING))
    a = imported("a")
    first = a.Thing(1)
    app.load(a=module(CHANGING.replace("x: int = 1", "x: int = 2")))
    assert type(first).double.__globals__ is app.old("a").namespace


def test_a_class_with_a_type_variable_of_its_module_is_carried_over_if_the_variable_is(app: App) -> None:
    body = """
        from dataclasses import dataclass
        from typing import Generic, TypeVar
        {carry}
        T = TypeVar("T")
        @dataclass
        class Box(Generic[T]):
            content: T
        N = {n}
    """
    carry = "__carry__ = ['T']"
    app.boot(a=body.format(carry=carry, n=1), b=body.format(carry="", n=1))
    a = imported("a")
    b = imported("b")
    boxes = a.Box, b.Box
    app.load(a=body.format(carry=carry, n=2), b=body.format(carry="", n=2))
    assert a.Box is boxes[0]
    assert b.Box is not boxes[1]
