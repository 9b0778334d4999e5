"""The table of situations: what happens to existing objects after an edit, with three ways to load new code.

Run as a script it writes the table into docs/code-server.md; test_situations.py checks that both agree.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.reload_methods import LOW_1, LOW_2, USER, V1, V2, WAYS, way

PAGE = Path(__file__).parents[2] / "docs" / "code-server.md"
BEGIN, END = "<!-- table of situations -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Situation:
    """`hold` takes objects before the edit, `look` describes them after it. `wanted` is our required result."""

    title: str
    hold: Callable[[ModuleType, ModuleType], Any]
    look: Callable[[Any, ModuleType], object]
    wanted: str


def started(coroutine: Any) -> Any:
    coroutine.send(None)
    return coroutine


def begun(generator: Any) -> Any:
    next(generator)
    return generator


class Gate:
    def __await__(self) -> Iterator[None]:
        yield


def finished(coroutine: Any) -> object:
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    return "still suspended"


def in_thread(m: ModuleType) -> tuple[threading.Event, threading.Thread, list[object]]:
    event, answers = threading.Event(), []

    def run() -> None:
        try:
            answers.append(m.blocked(event))
        except Exception as error:
            answers.append(type(error).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    return event, thread, answers


def from_thread(held: tuple[threading.Event, threading.Thread, list[object]]) -> object:
    event, thread, answers = held
    event.set()
    thread.join()
    return answers[0]


def caught(error: BaseException, m: ModuleType) -> str:
    try:
        raise error
    except m.Boom:
        return "yes"
    except Exception:
        return "no"


def same(condition: object) -> str:
    return "yes" if condition else "no"


def again(thing: object) -> object:
    return pickle.loads(pickle.dumps(thing))


def line_shown(function: Callable[[], object]) -> str:
    try:
        function()
    except ValueError as error:
        return "old" if "# old line" in "".join(traceback.format_exception(error)) else "new"
    return "nothing"


SITUATIONS = (
    Situation("`m.f()` in another module", lambda m, u: u.qualified, lambda held, m: held(), "new"),
    Situation("another `import m`, then `m.f()`", lambda m, u: None, lambda _, m: m.f(), "new"),
    Situation(
        "`v.f()`, where the local variable `v` has the module object", lambda m, u: m, lambda held, m: held.f(), "new"
    ),
    Situation(
        "is the module object in `v` still the one in `sys.modules`?",
        lambda m, u: m,
        lambda held, m: same(held is m),
        "yes",
    ),
    Situation("`f()` after `from m import f`", lambda m, u: u, lambda held, m: held.f(), "new"),
    Situation(
        "after `from m import f as g`: is `g` the new `m.f`?",
        lambda m, u: u,
        lambda held, m: same(held.make is m.closure),
        "yes",
    ),
    Situation("`f()` after `from m import *`", lambda m, u: u, lambda held, m: held.default(), "new"),
    Situation("`f()` after `from m import f` inside a function", lambda m, u: u, lambda held, m: held.lazily(), "new"),
    Situation(
        "`low()` after `from low import low` in `m`, both modules changed",
        lambda m, u: m,
        lambda held, m: held.low(),
        "new",
    ),
    Situation("`ALIAS()` after `ALIAS = m.f`", lambda m, u: u, lambda held, m: held.ALIAS(), "old"),
    Situation(
        "a function in a list: the helper that it calls", lambda m, u: [m.calling], lambda held, m: held[0](), "old"
    ),
    Situation(
        "a kept function that adds 1 to a constant (old value 1, new value 2)",
        lambda m, u: m.bump,
        lambda held, m: held(),
        "2",
    ),
    Situation(
        "a kept decorated function: its wrapper, the helper that it calls",
        lambda m, u: m.decorated,
        lambda held, m: held(),
        "old decorator, old",
    ),
    Situation(
        "a kept closure, free variables changed: the helper that it calls",
        lambda m, u: m.closure(1),
        lambda held, m: held(),
        "old",
    ),
    Situation("a default argument of a kept function", lambda m, u: m.default, lambda held, m: held(), "old"),
    Situation("a method of an old instance, class changed", lambda m, u: m.Plain(), lambda held, m: held.f(), "old"),
    Situation(
        "a kept bound method of an old instance, class changed", lambda m, u: m.Plain().f, lambda held, m: held(), "old"
    ),
    Situation(
        "`super()` in a method of an old instance, class changed",
        lambda m, u: m.Plain(),
        lambda held, m: held.up(),
        "old",
    ),
    Situation(
        "is an old instance an instance of the changed class?",
        lambda m, u: m.Plain(),
        lambda held, m: same(isinstance(held, m.Plain)),
        "no",
    ),
    Situation(
        "a method that a subclass inherits; the load doesn't include the subclass's module",
        lambda m, u: u.Derived,
        lambda held, m: held().greet(),
        "old",
    ),
    Situation(
        "a resumed coroutine: a helper, a constant, a function that the edit removed",
        lambda m, u: started(m.suspended(Gate())),
        lambda held, m: finished(held),
        "old, 1, old",
    ),
    Situation(
        "a resumed generator: a helper, a function that the edit removed",
        lambda m, u: begun(m.generator()),
        lambda held, m: next(held),
        "old, old",
    ),
    Situation(
        "a thread inside a function: a helper, a function that the edit removed",
        lambda m, u: in_thread(m),
        lambda held, m: from_thread(held),
        "old, old",
    ),
    Situation(
        "does an unchanged enumeration keep its members?",
        lambda m, u: m.Colour.RED,
        lambda held, m: same(held is m.Colour.RED),
        "yes",
    ),
    Situation("does `except m.Boom` catch an old instance, class unchanged?", lambda m, u: m.Boom(), caught, "yes"),
    Situation(
        "is an old instance an instance of an unchanged dataclass?",
        lambda m, u: m.Same(),
        lambda held, m: same(isinstance(held, m.Same)),
        "yes",
    ),
    Situation(
        "is an old instance `==` a new one, dataclass unchanged?",
        lambda m, u: m.Same(),
        lambda held, m: same(held == m.Same()),
        "yes",
    ),
    Situation(
        "is an old instance `==` a new one, dataclass changed?",
        lambda m, u: m.Changed(),
        lambda held, m: same(held == m.Changed()),
        "no",
    ),
    Situation(
        "is an old instance an instance of an unchanged named tuple?",
        lambda m, u: m.Pair(),
        lambda held, m: same(isinstance(held, m.Pair)),
        "yes",
    ),
    Situation(
        "is an old instance the same after pickling, class unchanged?",
        lambda m, u: m.Same(),
        lambda held, m: same(again(held) == held),
        "yes",
    ),
    Situation(
        "is an old instance the same after pickling, class changed?",
        lambda m, u: m.Changed(),
        lambda held, m: same(again(held) == held),
        "PicklingError",
    ),
    Situation(
        "an instance unpickled from old bytes, class changed",
        lambda m, u: pickle.dumps(m.Changed()),
        lambda held, m: pickle.loads(held).f(),
        "new",
    ),
    Situation(
        "`copy.deepcopy` of an old instance, class changed",
        lambda m, u: m.Changed(),
        lambda held, m: copy.deepcopy(held).f(),
        "old",
    ),
    Situation(
        "does `m.removed` exist after the edit removed it?",
        lambda m, u: None,
        lambda _, m: same(hasattr(m, "removed")),
        "no",
    ),
    Situation(
        "entries of a global list (before: 1), without `__carry__`",
        lambda m, u: m.STATE.append(1),
        lambda _, m: len(m.STATE),
        "0",
    ),
    Situation("source lines in a traceback of old code", lambda m, u: m.fail, lambda held, m: line_shown(held), "old"),
    Situation(
        "does `inspect.getsource` show an old method's lines?",
        lambda m, u: m.Plain,
        lambda held, m: same('"old"' in inspect.getsource(held.f)),
        "yes",
    ),
    Situation(
        "does `inspect.getsource` show an old class's lines?",
        lambda m, u: m.Plain,
        lambda held, m: same('"old"' in inspect.getsource(held)),
        "no",
    ),
    Situation("changed back: `m.f()`", lambda m, u: m, lambda held, m: held.f(), "old"),
    Situation("changed back: `f()` after `from m import f`", lambda m, u: u, lambda held, m: held.f(), "old"),
    Situation(
        "changed back: is `m.f` the same function object as at first?",
        lambda m, u: m.f,
        lambda held, m: same(held is m.f),
        "yes",
    ),
    Situation(
        "changed back: entries of a global list (before: 1)",
        lambda m, u: m.STATE.append(1),
        lambda _, m: len(m.STATE),
        "1",
    ),
    Situation("the new body fails: `m.f()`", lambda m, u: None, lambda _, m: m.f(), "old"),
    Situation(
        "the new body fails: a constant that it had set (old value 1, new value 2)",
        lambda m, u: None,
        lambda _, m: m.LIMIT,
        "1",
    ),
)


def observe(situation: Situation, cls: type[Any]) -> str:
    """The result of the situation with one method: the description, or the name of the error."""
    with way(cls) as used:
        used.boot(low=LOW_1, m=V1, user=USER)
        m, user = importlib.import_module("m"), importlib.import_module("user")
        held = situation.hold(m, user)
        if "fails" in situation.title:
            with contextlib.suppress(Exception):
                used.change(low=LOW_2, m=V2 + "    1 / 0\n")
        else:
            used.change(low=LOW_2, m=V2)
        if "changed back" in situation.title:
            used.back()
        try:
            return str(situation.look(held, importlib.import_module("m")))
        except Exception as error:
            return type(error).__name__


def table() -> str:
    """The table as Markdown."""
    lines = [
        f"| what is checked after the edit | {' | '.join(cls.name for cls in WAYS)} |",
        "| --- | --- | --- | --- |",
    ]
    for situation in SITUATIONS:
        cells = [observe(situation, cls) for cls in WAYS]
        cells[1:] = [cell if cell == situation.wanted else f"**{cell}**" for cell in cells[1:]]
        lines.append(f"| {situation.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page_with(text: str) -> str:
    """The page with its table replaced by `text`."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with(table()))
