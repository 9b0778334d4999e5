"""Annotations in modules outside a load name the new versions of classes, and the old ones again after a revert."""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="annotations are evaluated at their first use")

POLLS = """
    import enum
    from typing import NewType, TypeVar
    T = TypeVar("T")
    Number = NewType("Number", int)
    class Poll:
        n = {n}
        def fresh(self):
            return Poll()
        class Choice:
            def fresh(self):
                return Poll()
    class Color(enum.Enum):
        RED = {n}
        def fresh(self):
            return Poll()
    class Box(list[T]):
        n = {n}
        def fresh(self):
            return Poll()
"""


def named(annotation: Any) -> list[Any]:
    """All objects that an annotation names, in its order."""
    parts = annotation if isinstance(annotation, (list, tuple)) else typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    own = [] if isinstance(annotation, (list, tuple)) else [annotation] if origin is None else [origin]
    return own + [one for part in parts for one in named(part)]


def current(annotation: str) -> Any:
    """An annotation with the classes of the current version of polls."""
    return eval(annotation, {**vars(typing), **vars(imported("polls"))})


def assert_free(app: App, module: str = "polls") -> None:
    assert app.server.soft_purge(module), [f"{one.name} {one.does}" for one in app.server.holders(module)]


@pytest.mark.parametrize(
    "annotation",
    [
        "Poll",
        "dict[int, Poll]",
        "Optional[Poll]",
        "Poll | None",
        "Union[int, list[Poll | None]]",
        "List[Poll]",
        "Annotated[Poll, 'x', Poll]",
        "Annotated[Poll | None, 'x']",
        "Callable[[Poll, int], Poll]",
        "typing.Callable[[Poll], int]",
        "type[Poll]",
        "ClassVar[list[Poll]]",
        "Final[Poll]",
        "tuple[Poll, ...]",
        "tuple[*tuple[Poll, ...]]",
        "Poll.Choice",
        "Literal[Color.RED]",
        "Box[int]",
        "Box[Poll]",
        "Number",
        "list[T]",
    ],
)
def test_each_form_of_annotation_names_the_new_class(app: App, annotation: str) -> None:
    text = f"""
        import typing
        from collections.abc import Callable
        from typing import Annotated, ClassVar, Final, List, Literal, Optional, Union
        from polls import Box, Color, Number, Poll, T
        def used(x: {annotation}, *more: {annotation}) -> {annotation}: ...
        def fresh():
            def inner(x: {annotation}) -> None: ...
            return inner
    """
    app.boot(polls=POLLS.format(n=1), store=text)
    imported("polls"), (store := imported("store"))
    before = dict(store.used.__annotations__)
    batch = app.load(polls=POLLS.format(n=2))
    wanted = store.fresh().__annotations__["x"]
    for found in store.used.__annotations__.values():
        assert found == wanted
        assert named(found) == named(wanted)
    batch.revert()
    assert store.used.__annotations__ == before
    batch = app.load(polls=POLLS.format(n=2))
    del batch, before, found, wanted
    assert_free(app)


EVERYWHERE = """
    import functools
    from dataclasses import dataclass, field
    from functools import cache, cached_property, partial, partialmethod, singledispatch, wraps
    from typing import NamedTuple, NewType, Protocol, TypedDict, overload
    from polls import Poll
    POLLS: dict[int, Poll] = {}
    Polls = dict[int, Poll]
    Key = NewType("Key", Poll)
    def logged(function):
        @wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper
    def hidden(function):
        return lambda *args: function(*args)
    @logged
    def add(poll: Poll) -> Poll: ...
    @overload
    def either(poll: Poll) -> Poll: ...
    @overload
    def either(poll: int) -> int: ...
    def either(poll): ...
    @hidden
    def hide(poll: Poll) -> Poll: ...
    @cache
    def cached(poll: Poll) -> Poll: ...
    bound = partial(add, None)
    HANDLERS = {}
    class Command:
        def __init__(self, function):
            self.function = function
            HANDLERS["last"] = function
    @Command
    def handle(poll: Poll) -> Poll: ...
    HANDLERS["add"] = lambda poll: poll
    HANDLERS["add"].__annotations__["poll"] = list[Poll]
    @dataclass
    class Board:
        first: Poll | None = None
        others: list[Poll] = field(default_factory=list)
    @dataclass(frozen=True, slots=True)
    class Slotted:
        first: Poll | None = None
    class Pair(NamedTuple):
        left: Poll
    class Row(TypedDict):
        poll: Poll
    class Taking(Protocol):
        poll: Poll
        def take(self, poll: Poll) -> Poll: ...
    class Shelf:
        top: Poll
        class Inner:
            low: Poll
        @staticmethod
        def static(poll: Poll): ...
        @classmethod
        def of(cls, poll: Poll): ...
        @property
        def last(self) -> Poll: ...
        @last.setter
        def last(self, poll: Poll): ...
        @cached_property
        def kept(self) -> Poll: ...
        @cache
        def cached(self) -> Poll: ...
        half = partialmethod(of, None)
"""


def test_an_upgrade_after_an_upgrade_is_not_refused_because_of_annotations_anywhere_in_a_module(app: App) -> None:
    app.boot(polls=POLLS.format(n=1), store=EVERYWHERE)
    imported("polls"), imported("store")
    for n in (2, 3, 4):
        batch = app.prepare(polls=POLLS.format(n=n))
        assert batch.dependents() == ()
        assert batch.warnings() == ()
        batch.commit()
        del batch
        assert_free(app)
    store = imported("store")
    assert typing.get_type_hints(store.Board)["others"] == current("list[Poll]")
    assert store.Board.__dataclass_fields__["others"].type == current("list[Poll]")
    assert typing.get_type_hints(store.Pair) == {"left": current("Poll")}
    assert typing.get_type_hints(store.Row) == {"poll": current("Poll")}
    assert store.Polls == current("dict[int, Poll]")
    assert store.Key.__supertype__ is current("Poll")


def test_names_in_texts_that_have_been_looked_up_are_looked_up_again(app: App) -> None:
    text = """
        from typing import List, Optional
        import polls
        def add(poll: Optional["polls.Poll"], others: List["polls.Poll"]) -> "polls.Poll": ...
    """
    app.boot(polls=POLLS.format(n=1), store=text)
    store = imported("store")
    assert typing.get_type_hints(store.add)["poll"] == current("Poll | None")
    batch = app.load(polls=POLLS.format(n=2))
    assert typing.get_type_hints(store.add) == {
        "poll": current("Poll | None"),
        "others": current("List[Poll]"),
        "return": current("Poll"),
    }
    batch.revert()
    assert typing.get_type_hints(store.add)["poll"] == current("Poll | None")
    batch = app.load(polls=POLLS.format(n=2))
    del batch
    assert_free(app)


def test_an_alias_that_modules_share_stays_shared(app: App) -> None:
    app.boot(
        polls=POLLS.format(n=1),
        store="from polls import Poll\nPolls = dict[int, Poll]\n",
        page="from store import Polls\n",
    )
    store, page = imported("store"), imported("page")
    app.load(polls=POLLS.format(n=2))
    assert page.Polls is store.Polls
    assert store.Polls == current("dict[int, Poll]")
    app.load(store="from polls import Poll\nPolls = list[Poll]\n")
    assert page.Polls == current("list[Poll]")


def test_a_revert_also_changes_the_annotations_of_modules_that_were_loaded_after_the_commit(app: App) -> None:
    app.boot(polls=POLLS.format(n=1), late="from polls import Poll\nPOLLS: list[Poll] = []\n")
    imported("polls")
    batch = app.load(polls=POLLS.format(n=2))
    late = imported("late")
    batch.revert()
    assert vars(late)["__annotations__"]["POLLS"] == current("list[Poll]")


def test_an_annotation_that_names_another_object_than_the_class_stays(app: App) -> None:
    text = "import polls\ndef f(a: int, b: 'polls.Poll', c: polls.Poll, d: None, e: [1, 2] = 0): ...\n"
    app.boot(polls=POLLS.format(n=1), store=text)
    store = imported("store")
    listed = store.f.__annotations__["e"]
    app.load(polls=POLLS.format(n=2))
    assert store.f.__annotations__ == {"a": int, "b": "polls.Poll", "c": current("Poll"), "d": None, "e": [1, 2]}
    assert store.f.__annotations__["e"] is listed


def test_no_code_of_the_values_of_variables_runs(app: App) -> None:
    polls = """
        N = {n}
        class Poll:
            n = {n}
        class Proxy:
            def __getattribute__(self, name):
                if name != "__class__":
                    raise RuntimeError(name)
                return object.__getattribute__(self, name)
        PROXY = Proxy()
    """
    app.boot(polls=polls.format(n=1), store="from polls import PROXY, Poll\nMINE: Poll = PROXY\n")
    store = imported("store")
    app.load(polls=polls.format(n=2))
    assert vars(store)["__annotations__"]["MINE"] is current("Poll")
