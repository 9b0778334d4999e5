"""Fields that are declared as secret: hidden whatever their names, in every kind of class, without running its code."""

from __future__ import annotations

import logging
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec
import pytest

import node_runtime
from node_runtime import GenServer, Runtime, Secret, cast, gen_server, send, until_ended
from node_runtime import Secret as Hidden
from node_runtime.behaviours.show.describe import describe
from node_runtime.behaviours.show.fingerprint import have_equal_parts
from node_runtime.behaviours.show.log_format import one_line
from node_runtime.behaviours.show.secret_comparison import SecretComparison
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.protocol.messages import Term
from node_runtime.protocol.wire import pack
from tests.support.waiting import eventually

Pin = Annotated[str, Secret]


class Answers(TypedDict):
    nick: str
    answer: Annotated[str, Secret]


class Chain(TypedDict, total=False):
    next: Chain
    links: list[Chain]
    code: Annotated[str, Secret]
    shown: str


@dataclass
class Plain:
    a: Annotated[str, Secret]
    b: Annotated[str, Secret()]
    c: Annotated[str, Hidden]
    d: Annotated[str, "a note", node_runtime.Secret]
    e: Pin
    f: Pin | None
    g: list[Annotated[str, Secret]]
    h: dict[str, Pin]
    i: dict[Annotated[str, Secret], int]
    j: Answers
    k: tuple[int, Answers]
    m: Chain
    shown: str = "shown"


@dataclass(slots=True)
class Slotted:
    a: Annotated[str, Secret]
    shown: str = "shown"


class Pair(NamedTuple):
    a: Annotated[str, Secret]
    shown: str = "shown"


class Packed(msgspec.Struct):
    a: Annotated[str, Secret]
    shown: str = "shown"


class Bare:
    a: Annotated[str, Secret]
    shown: str

    def __init__(self) -> None:
        self.a, self.shown = "hunter2", "shown"


class Derived(Bare):
    pass


S = "hunter2"
VALUES = [
    Plain(
        S,
        S,
        S,
        S,
        S,
        S,
        [S],
        {"x": S},
        {S: 1},
        {"nick": "ana", "answer": S},
        (1, {"nick": "b", "answer": S}),
        {"next": {"links": [{"code": S}]}},
    ),
    Slotted(S),
    Pair(S),
    Packed(S),
    Bare(),
    Derived(),
    [Slotted(S)],
]


@pytest.mark.parametrize("value", VALUES)
def test_a_field_that_is_declared_as_secret_is_hidden(value: object) -> None:
    packed = pack(describe(value))
    assert S.encode() not in packed
    assert b"shown" in packed


def test_annotations_that_are_no_texts_are_read_too() -> None:
    cls = type("Made", (), {"__annotations__": {"a": typing.Optional[Annotated[str, Secret]], "b": "No[t, valid"}})  # noqa: UP045  # another class than str | None
    value = cls()
    value.a, value.b = S, "shown"
    assert S.encode() not in pack(describe(value))


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "OKP", "crv": "Ed25519", "x": "public", "d": "s3cret"},
        {"crv": "Ed25519", "d": "s3cret", "kty": "OKP", "x": "public"},
        {"k": "s3cret", "kty": "oct", "kid": "public"},
        {"kty": "RSA", "n": "public", "p": "s3cret", "q": "s3cret", "dp": "s3cret", "oth": [{"r": "s3cret"}]},
    ],
)
def test_the_private_parts_of_a_json_web_key_are_hidden(key: dict[str, Any]) -> None:
    shown = str(describe([key]))
    assert "s3cret" not in shown
    assert "public" in shown


def test_a_dict_that_is_no_key_shows_its_short_names() -> None:
    assert "shown" in str(describe({"d": "shown", "k": "shown", "type": "oct"}))


def test_no_code_runs_when_annotations_are_read() -> None:
    class Trap:
        def __class_getitem__(cls, item: object) -> None:
            raise AssertionError

        def __getattr__(self, name: str) -> None:
            raise AssertionError

    trap = Trap()
    cls = type("Odd", (), {"__annotations__": {"a": trap, "b": "trap.x[trap()]", 3: 4}, "__module__": __name__})
    assert describe(cls()).type.endswith("Odd")


def library_class(package: str, name: str) -> type[Any]:
    """A class as the library defines it; the library itself is not needed."""
    return type(name, (), {"__module__": f"{package}.types", "__slots__": ("_value",)})


@pytest.mark.parametrize("name", ["SecretStr", "SecretBytes"])
def test_secrets_of_pydantic_are_hidden_and_pydantic_is_not_imported(name: str) -> None:
    before = "pydantic" in sys.modules
    value = library_class("pydantic", name)()
    value._value = S
    assert describe({"a": value}).items[0][1].text == "‹redacted›"
    assert ("pydantic" in sys.modules) is before


class Quiz(GenServer[Answers]):
    def init(self) -> Answers:
        return {"nick": "ana", "answer": S}

    def guess(self, answer: Annotated[str, Secret], nick: str) -> None:
        raise ValueError("no")


@dataclass
class Letter:
    text: Annotated[str, Secret]


def test_the_declared_type_of_a_state_counts() -> None:
    term = describe_state(Quiz, {"nick": "ana", "answer": S})
    assert [(name, part.text) for name, part in term.items] == [("nick", "'ana'"), ("answer", "‹redacted›")]


async def test_parameters_and_messages_are_hidden_in_the_log(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await gen_server.start(Quiz, name="quiz")
    with caplog.at_level(logging.WARNING):
        send(pid, Letter(S))
        await eventually(lambda: "doesn't handle" in caplog.text, what="the warning")
        cast(pid, Quiz.guess, S, "bob")
        await until_ended(pid)
    assert S not in caplog.text
    assert "guess(answer=‹redacted›, nick='bob')" in caplog.text


def texts(term: Term) -> Iterator[str]:
    yield term.text
    for _, part in term.items:
        yield from texts(part)


def test_a_comparison_says_which_secrets_have_changed() -> None:
    secrets = SecretComparison()
    before = {"password": "a", "url": "x://u:a@h", "tokens": ["a"], "auth": "a", "n": 1}
    after = {"password": "b", "url": "x://u:b@h", "tokens": ["b"], "auth": "a", "n": 2}
    assert "changed" not in "".join(texts(describe(before, secrets=secrets)))
    compared = dict(describe(after, secrets=secrets.compare()).items)
    assert [compared[name].text for name in ("password", "tokens", "auth", "n")] == [
        "‹redacted, changed›", "‹redacted, changed›", "‹redacted›", "2",
    ]  # fmt: skip
    assert compared["url"].text == "'x://u:‹redacted, changed›@h'"


def test_values_that_differ_only_in_a_secret_are_not_equal() -> None:
    @dataclass
    class Box:
        body: bytearray = field(default_factory=bytearray)

    one, other = Box(bytearray(b"password=a")), Box(bytearray(b"password=b"))
    assert one_line(one) == one_line(other)
    assert have_equal_parts(one, other, seconds=1.0) is False
