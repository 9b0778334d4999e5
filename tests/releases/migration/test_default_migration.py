"""The default migration: fields and members by name, in every kind of class and container."""

from __future__ import annotations

import copy
import itertools
import textwrap
import types
import weakref
from typing import Any

import pytest

from tests.support.migrated import versions

STATUS = """
    from enum import Enum, Flag
    from dataclasses import dataclass, field, InitVar, KW_ONLY
    from collections import namedtuple, deque, defaultdict, OrderedDict
    from typing import NamedTuple, Any, Literal
    from types import MappingProxyType, SimpleNamespace
    from functools import partial

    class Status(Enum):
        OPEN = "open"
        PAID = "paid"
"""
REFUNDED = STATUS + '        REFUNDED = "refunded"\n'


def _with(*definitions: str) -> tuple[str, str]:
    before, after = definitions if len(definitions) == 2 else (definitions[0], definitions[0])
    return STATUS + textwrap.indent(before, "    "), REFUNDED + textwrap.indent(after, "    ")


CONTAINERS = [
    "[Status.OPEN]",
    "(Status.OPEN, 1)",
    "{'a': [Status.OPEN]}",
    "{Status.OPEN: 1}",
    "{Status.OPEN, Status.PAID}",
    "frozenset({Status.OPEN})",
    "deque([Status.OPEN], maxlen=3)",
    "OrderedDict(a=Status.OPEN, b=1)",
    "MappingProxyType({'a': Status.OPEN})",
    "SimpleNamespace(a=Status.OPEN)",
    "defaultdict(list, a=[Status.OPEN])",
]


@pytest.mark.parametrize("expression", CONTAINERS)
def test_a_container_has_the_new_members_and_is_a_new_one(expression: str) -> None:
    with versions(*_with("")) as both:
        old = both.old(expression)
        before = copy.copy(old) if not expression.startswith("Mapping") else None
        new = both.up(old).value
        assert type(new) is type(old)
        assert new == eval(expression, both.b)
        assert before is None or old == before
        assert getattr(new, "maxlen", 3) in (3, None)


def test_what_needs_no_change_is_the_same_object() -> None:
    with versions(*_with("class Kept:\n    pass")) as both:
        value = {"a": [1, 2], "b": {"c": object()}}
        assert both.up(value).value is value
        mixed = both.old("{'kept': [1], 'status': Status.OPEN}")
        assert both.up(mixed).value["kept"] is mixed["kept"]


ORDER = "@dataclass\nclass Order:\n    number: int\n    tags: list[str] = field(default_factory=list)\n"


def test_a_dataclass_gains_fields_with_defaults_and_no_initialiser_runs() -> None:
    after = ORDER + (
        "    hits: int = 7\n    seen: set = field(default_factory=set)\n"
        "    def __post_init__(self):\n        raise RuntimeError\n"
    )
    with versions(*_with(ORDER, after)) as both:
        new = both.migrated("Order(1, ['x'])")
        assert type(new) is both.b["Order"]
        assert vars(new) == {"number": 1, "tags": ["x"], "hits": 7, "seen": set()}


@pytest.mark.parametrize(
    "options", ["slots=True", "frozen=True", "slots=True, frozen=True", "kw_only=True", "eq=False"]
)
def test_kinds_of_dataclasses(options: str) -> None:
    base = f"@dataclass({options})\nclass Base:\n    one: int = 1\n"
    head = f"{base}@dataclass({options})\nclass Order(Base):\n    two: int = 2\n"
    with versions(*_with(head, head + "    three: int = 3\n")) as both:
        old = both.old("Order(one=10)")
        new = both.up(old).value
        assert (new.one, new.two, new.three) == (10, 2, 3)
        assert (old.one, old.two, hasattr(old, "three")) == (10, 2, False)
        back = both.down(new)
        assert (back.value.one, back.value.two, hasattr(back.value, "three")) == (10, 2, False)
        assert [(str(one), one.with_data) for one in back.lost] == [("migrated_module:Order.three", 0)]


def test_init_only_variables_and_fields_that_init_does_not_set() -> None:
    before = (
        "@dataclass\nclass Order:\n    number: int\n    given: InitVar[int] = 5\n    made: int = field(init=False)\n"
        "    def __post_init__(self, given):\n        self.made = given\n"
    )
    with versions(
        *_with(before, before.replace("number: int", "number: int\n    _: KW_ONLY\n    name: str = 'n'"))
    ) as both:
        new = both.migrated("Order(1, 6)")
        assert vars(new) == {"number": 1, "name": "n", "made": 6}


def test_sharing_and_cycles_are_kept() -> None:
    before = "@dataclass(eq=False)\nclass Node:\n    peer: Any = None\n    items: Any = None\n"
    with versions(*_with(before, before + "    rank: int = 0\n")) as both:
        one = both.old("Node()")
        other = both.old("Node()")
        shared = [one]
        one.peer, other.peer, one.items, other.items = other, one, shared, (shared, [])
        other.items[1].append(other.items)
        new = both.up({"one": one, "other": other}).value
        assert new["one"].peer is new["other"]
        assert new["other"].peer is new["one"]
        assert new["one"].items is new["other"].items[0]
        assert new["one"].items == [new["one"]]
        assert new["other"].items[1][0] is new["other"].items
        assert one.items[0] is one
        assert type(new["one"]) is both.b["Node"]


def test_a_deep_structure() -> None:
    before = "@dataclass\nclass Node:\n    after: Any = None\n"
    with versions(*_with(before, before + "    rank: int = 0\n")) as both:
        chain = None
        for _ in range(20_000):
            chain = both.a["Node"](chain)
        new, length = both.up(chain).value, 0
        while new is not None:
            new, length = new.after, length + 1
        assert length == 20_000


def test_named_tuples() -> None:
    before = "class Point(NamedTuple):\n    x: int\n    y: int = 0\nPair = namedtuple('Pair', 'a b')\n"
    after = (
        "class Point(NamedTuple):\n    y: int\n    x: int\n    z: int = 3\n"
        "Pair = namedtuple('Pair', 'a b c', defaults=[9])\n"
    )
    with versions(*_with(before, after)) as both:
        new = both.migrated("[Point(1, 2), Pair(Status.OPEN, 2)]")
        assert new == eval("[Point(2, 1, 3), Pair(Status.OPEN, 2, 9)]", both.b)
        assert type(new[0]) is both.b["Point"]


def test_a_named_tuple_becomes_a_dataclass_and_back() -> None:
    with versions(
        *_with("class P(NamedTuple):\n    x: int\n", "@dataclass(slots=True)\nclass P:\n    x: int\n    y: int = 2\n")
    ) as both:
        new = both.migrated("P(1)")
        assert (new.x, new.y) == (1, 2)
        assert both.down(new).value == both.old("P(1)")


def test_flags_go_by_the_names_of_their_parts() -> None:
    before = "class F(Flag):\n    A = 1\n    B = 2\n"
    with versions(*_with(before, "class F(Flag):\n    X = 1\n    B = 4\n    A = 2\n")) as both:
        assert both.migrated("[F.A, F.A | F.B, F(0)]") == eval("[F.A, F.A | F.B, F(0)]", both.b)


def test_plain_classes_keep_their_attributes() -> None:
    before = (
        "class Order:\n    __slots__ = ('a', '__dict__')\n"
        "    def __init__(self, a):\n        self.a = a\n        self.b = [a]\n"
    )
    with versions(*_with(before, before + "    def label(self):\n        return f'{self.a}{self.b}'\n")) as both:
        assert both.migrated("Order(1)").label() == "1[1]"


def test_a_plain_class_whose_initialiser_sets_a_new_attribute() -> None:
    before = "class Order:\n    def __init__(self):\n        self.a = 1\n"
    with versions(*_with(before, before + "        self.total = 2\n")) as both:
        (found,) = both.up(both.old("[Order()]")).obstacles
        assert str(found) == (
            "the initialiser of migrated_module:Order sets total, which the old objects don't have (at [0])"
        )
        assert found.remedy == "give total a default in the class"
    with versions(
        *_with(before, before.replace("    def", "    total = 0\n    def") + "        self.total = 2\n")
    ) as both:
        assert both.migrated("Order()").total == 0


def test_containers_and_exceptions_that_a_class_is_based_on() -> None:
    before = (
        "class Many(list):\n    pass\nclass Known(dict):\n    pass\nclass Bad(Exception):\n    pass\n"
        "class Name(str):\n    pass\nclass Pair(tuple):\n    pass\n"
    )
    with versions(*_with(before)) as both:
        old = both.old("[Many([Status.OPEN]), Known(a=Status.OPEN), Bad(1, Status.OPEN), Name('n'), Pair((1, 2))]")
        old[0].note, old[4].note = "kept", "too"
        new = both.up(old).value
        assert [type(one) for one in new] == eval("[Many, Known, Bad, Name, Pair]", both.b)
        assert new[0] == [both.b["Status"].OPEN]
        assert new[1] == {"a": both.b["Status"].OPEN}
        assert new[2].args == (1, both.b["Status"].OPEN)
        assert (new[3], new[4]) == ("n", (1, 2))
        assert (new[0].note, new[4].note) == ("kept", "too")


def test_classes_functions_methods_and_partials_go_by_name() -> None:
    before = "def f(x=None):\n    return 'a'\nclass Order:\n    def m(self):\n        return 'a'\n"
    with versions(*_with(before, before.replace("'a'", "'b'"))) as both:
        new = both.migrated("[f, Order, Order().m, partial(f, Status.OPEN), defaultdict(Order)]")
        assert new[0] is both.b["f"]
        assert new[1] is both.b["Order"]
        assert new[2]() == "b"
        assert new[3].args == (both.b["Status"].OPEN,)
        assert type(new[4]["x"]) is both.b["Order"]


def test_aliases_of_generic_classes_go_by_the_names_of_their_classes() -> None:
    generic = "import typing\nT = typing.TypeVar('T')\n@dataclass\nclass Box(typing.Generic[T]):\n    item: object\n"
    with versions(*_with(generic, generic + "    more: int = 0\n")) as both:
        made, own, builtin, from_typing = both.migrated("[Box[int](1), Box[Status], list[Box], typing.List[Box[int]]]")
        cls: Any = both.b["Box"]
        assert (type(made), made.__orig_class__) == (cls, cls[int])
        assert (own, builtin) == (cls[both.b["Status"]], types.GenericAlias(list, (cls,)))
        assert str(from_typing) == f"typing.List[{cls[int]}]"


@pytest.mark.parametrize(
    ("before", "after", "value", "sentence", "remedy"),
    [
        (
            "", "del Status", "[Status.OPEN]",
            "the target has no migrated_module:Status, which is in use (at [0])", "keep it",
        ),
        (
            "class Colour(Enum):\n    RED = 1\n    BLUE = 2\n", "class Colour(Enum):\n    BLUE = 2\n",
            "{'a': (1, Colour.RED)}", "migrated_module:Colour has no member RED in the target (at ['a'][1])",
            "keep the member RED",
        ),
        (
            ORDER, ORDER.replace("    tags", "    owner: str\n    tags"), "[0, Order(1)]",
            "migrated_module:Order has a new field owner without a default (at [1])", "give owner a default",
        ),
        (
            ORDER, ORDER.replace("int", "str"), "Order(1)", "migrated_module:Order.number is an int, not str",
            "keep the type of number",
        ),
        (
            ORDER, ORDER.replace("list[str]", "list[int]"), "Order(1, ['a'])",
            "migrated_module:Order.tags[0] is a str, not int", "keep the type of tags",
        ),
        (
            "", "", "[lambda: 0]",
            "migrated_module:<lambda>, which is in use, has no name in its module, so its successor can't be found "
            "(at [0])",
            "",
        ),
        (
            "class Order(list):\n    pass\n", "class Order(dict):\n    pass\n", "Order()",
            "migrated_module:Order is based on list, and in the target on dict", "",
        ),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_named(before: str, after: str, value: str, sentence: str, remedy: str) -> None:
    with versions(*_with(before, after)) as both:
        (found,) = both.up(both.old(value)).obstacles
        assert str(found) == sentence
        assert found.remedy == remedy


def test_what_is_lost_is_named_with_a_place_that_holds_data() -> None:
    with versions(*_with(ORDER + "    note: str = 'n'\n    more: Any = None\n", ORDER)) as both:
        done = both.up(both.old("[Order(1), Order(2, note='kept'), Order(3, more=[1])]"))
        assert not done.obstacles
        assert [(one.field, one.path, one.count, one.with_data) for one in done.lost] == [
            ("note", "[1]", 3, 1),
            ("more", "[2]", 3, 1),
        ]


@pytest.mark.parametrize("annotation", ["list[int]", "int"])
def test_none_as_the_default_of_a_field_with_another_type_is_taken_over(annotation: str) -> None:
    before = "@dataclass\nclass S:\n    ids: list[int] | None = None"
    after = f"@dataclass\nclass S:\n    ids: {annotation} = None\n    more: int = 1"
    with versions(*_with(before, after)) as both:
        assert both.up(both.old("S()")).value.ids is None


def test_a_value_that_never_fitted_its_annotation_is_taken_over() -> None:
    before = "@dataclass\nclass Order:\n    number: int = None\n    items: list[int] = ()\n"
    with versions(*_with(before, before + "    more: int = 0\n")) as both:
        assert both.migrated("Order()").number is None


@pytest.mark.parametrize(
    ("annotation", "fitting", "unfit"),
    [
        ("int | None", "None", "'x'"),
        ("float", "1", "'1'"),
        ("Literal['a', 'b']", "'a'", "'c'"),
        ("dict[str, list[int]]", "{'a': [1]}", "{'a': [1, None]}"),
        ("dict[str, int]", "{'a': 1}", "{1: 1}"),
        ("tuple[int, ...]", "(1, 2)", "(1, 'x')"),
        ("tuple[int, str]", "(1, 'x')", "(1,)"),
        ("set[Status]", "{Status.OPEN}", "{1}"),
        ("list[Status | int]", "[Status.OPEN, 1]", "[1.5]"),
        ("deque[int]", "deque([1])", "deque(['x'])"),
        ("Unknown", "1", None),
        ("type[Status]", "Status", "1"),
    ],
)  # fmt: skip
def test_annotations_are_checked_to_any_depth(annotation: str, fitting: str, unfit: str | None) -> None:
    before = "@dataclass\nclass Order:\n    value: Any\n"
    with versions(*_with(before, before.replace("Any", annotation))) as both:
        assert not both.up(both.old(f"Order({fitting})")).obstacles
        if unfit is not None:
            assert [one.field for one in both.up(both.old(f"Order({unfit})")).obstacles] == ["value"]


def test_an_object_of_a_library_that_can_not_be_copied_is_named() -> None:
    with versions(*_with("")) as both:
        (found,) = both.up({"q": itertools.repeat(both.old("Status.OPEN"))}).obstacles
        assert found.cls.removeprefix("itertools.") == "repeat"  # Python 3.13 names the module of such a class, too
        assert found.path == "['q']"


@pytest.mark.parametrize(
    ("definition", "clause"),
    [
        ("    def __del__(self): closed.append(1)", "Res has a __del__, which would run"),
        ("    def __init__(self): weakref.finalize(self, closed.append, 1)", "has a finalizer, which would run"),
        ("    def __init__(self): known.add(self)", "weak references to an object of"),
        ("    def __init__(self): named['x'] = self", "weak references to an object of"),
    ],
)
def test_an_object_that_something_outside_its_state_watches_is_not_copied(definition: str, clause: str) -> None:
    shared = "import weakref\nclosed, known, named = [], weakref.WeakSet(), weakref.WeakValueDictionary()\n"
    before, after = (f"{shared}class Res:\n    n = {number}\n{definition}" for number in (1, 2))
    with versions(*_with(before, after)) as both:
        old = both.old("Res()")
        (obstacle,) = both.up([old]).obstacles
        assert clause in obstacle.reason
        assert both.a["closed"] == []


def test_weak_references_inside_a_state_follow_to_the_new_object() -> None:
    before, after = (f"import weakref\nclass Node:\n    n = {number}" for number in (1, 2))
    with versions(*_with(before, after)) as both:
        node = both.old("Node()")
        new, reference = both.up([node, weakref.ref(node)]).value
        assert reference() is new
