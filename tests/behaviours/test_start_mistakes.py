"""Mistakes in a release that its start finds: one sentence with the remedy, and no traceback of the runtime's code."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from node_runtime import Application, ChildSpec, Exit, GenServer, Runtime, Supervisor, application, gen_server
from node_runtime import supervisor as supervision
from node_runtime.application import AppSpec
from node_runtime.processes.crash_report import describe_start_failure


class Typed(GenServer[dict[str, int]]):
    def init(self) -> Any:
        self.state = {"n": 1}


class Derived(Typed):
    pass


class Nullable(GenServer["dict[str, int] | None"]):
    def init(self) -> None:
        return None


class Optional(GenServer[int | None]):
    def init(self) -> None:
        return None


class Untyped(GenServer[Any]):
    def init(self) -> None:
        return None


class Sup(Supervisor):
    child = "start_link"

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("box", start=f"{__name__}:{self.child}")]


class Typing(Sup):
    child = "start_typed"


class Silent(Sup):
    child = "start_nothing"


class Unparsed(Supervisor):
    def children(self) -> list[ChildSpec]:
        return [ChildSpec("box", start="m:f", shutdown=int("five"))]


async def start_typed() -> object:
    return await gen_server.start_link(Typed)


async def start_nothing() -> None:
    await gen_server.start_link(Untyped)


class App(Application):
    top: type[Supervisor] = Sup

    async def start(self, start_type: str, args: Any) -> Any:
        return await supervision.start_link(self.top, name="k_sup")


class TypingApp(App):
    top = Typing


class SilentApp(App):
    top = Silent


class Unfinished(Application):
    async def start(self, start_type: str, args: Any) -> Any:
        return None


@pytest.mark.parametrize("cls", [Typed, Derived])
async def test_an_init_that_returns_none_although_the_class_declares_a_state_is_refused(cls: type[Any]) -> None:
    async with Runtime():
        with pytest.raises(Exit) as failed:
            await gen_server.start(cls)
        sentence = (
            f"{__name__}:{cls.__name__}.init returned None; return the state, which is declared as dict[str, int]"
        )
        assert describe_start_failure(failed.value) == sentence


@pytest.mark.parametrize("cls", [Nullable, Optional, Untyped])
async def test_an_init_may_return_none_where_the_state_may_be_none(cls: type[Any]) -> None:
    async with Runtime():
        await gen_server.start(cls)


@pytest.mark.parametrize(
    ("mod", "sentence"),
    [
        ("App", "child 'box' did not start: LookupError: module {here} has no start_link"),
        ("TypingApp", "child 'box' did not start: {here}:Typed.init returned None; return the state, which is"),
        (
            "SilentApp",
            "child 'box' did not start: TypeError: {here}:start_nothing returned None; a start function must",
        ),
        ("Unfinished", "{here}:Unfinished returned None from start(); return the pid of the top supervisor there"),
        ("Ap", "module {here} has no Ap; correct mod = '{here}:Ap' in the app.toml of k"),
    ],
)
async def test_an_application_that_does_not_start_is_one_sentence_without_a_traceback(
    mod: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Runtime():
        application.load(AppSpec("k", "1", mod=f"{__name__}:{mod}"))
        with pytest.raises(Exit) as failed:
            await application.start("k")
    assert describe_start_failure(failed.value).startswith(sentence.format(here=__name__))
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors if record.exc_info] == []
    assert sum(record.getMessage().startswith("application") for record in errors) == 1


async def test_a_value_error_in_children_shows_the_users_own_line(caplog: pytest.LogCaptureFixture) -> None:
    async with Runtime():
        with pytest.raises(Exit, match="invalid literal for int"):
            await supervision.start_link(Unparsed)
    assert 'shutdown=int("five")' in caplog.text
    assert "child_table.py" not in caplog.text
