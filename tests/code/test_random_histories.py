"""Random sequences of edit, prepare, commit, revert, delete and purge, over modules that import from each other.

A model says which versions must be current and old. Every namespace has a number and a weak reference, so that the
test finds names of a purged version and namespaces that stay although nothing needs them.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import sys
import tempfile
import types
import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from node_runtime.code import Batch, CodeError, CodeServer, OldVersionHeld
from node_runtime.code.module import Namespace

pytest_plugins = ["tests.support.projects.code_shop"]

QUICK = os.environ.get("HYPOTHESIS_PROFILE", "quick") == "quick"
HISTORIES, ROUNDS = 40 if QUICK else 400, 30
"""The number of histories, and of steps in each: `make fuzz` runs 12,000 steps."""

BODY = """
import ledger
TOKEN = ledger.token()
N = {n}
def value():
    return N
"""
MODULES = {
    "pkg": "from .low import value as lower\nfrom . import low\ndef seen():\n    return {{lower: 'pkg.low'}}\n",
    "pkg.low": "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int = {n} % 2\n"
    "def seen():\n    import top\n    return {{top.value: 'top'}}\n",
    "pkg.mid": "import pkg.low\nfrom pkg.low import value as lower, Point\nfrom pkg import value as upper\n"
    "if N % 3 == 1:\n    def lower():\n        return N\n"
    "if N % 3 == 2:\n    def bonus():\n        return N\n"
    "if N % 2 == 1:\n    __all__ = ['lower', 'upper', 'value']\n"
    "def seen():\n    return {{lower: 'pkg.mid' if N % 3 == 1 else 'pkg.low', upper: 'pkg'}}\n",
    "top": "from pkg.mid import *\nfrom pkg.mid import lower as passed_on, value as middle\n" + BODY
    + "def seen():\n    return {{middle: 'pkg.mid'}}\n",
    "extra": "from pkg.low import value as lower\nimport top\n"
    "def seen():\n    return {{lower: 'pkg.low', top.value: 'top'}}\n",
}  # fmt: skip
COPIES = [
    ("pkg.low", "value", "pkg", "lower"),
    ("pkg.low", "Point", "pkg.mid", "Point"),
    ("pkg", "value", "pkg.mid", "upper"),
    ("pkg.mid", "lower", "top", "passed_on"),
    ("pkg.mid", "value", "top", "middle"),
    *(("pkg.mid", name, "top", name) for name in ("lower", "upper", "Point", "bonus")),
    ("pkg.low", "value", "extra", "lower"),
]
"""Imported names: origin, name there, importer, name here. If one side lacks the name, the other must too."""
STARRED = ("pkg.mid", "top")
"""The star import, from which `__all__` may exclude names; the only import that a body itself uses."""
LASTING = [module for module in MODULES if module != "extra"]
FILES = {module: module.replace(".", "__") + ("____init__" if module == "pkg" else "") for module in MODULES}


class Token:
    """One for each namespace; its number identifies the version in the model."""

    def __init__(self, number: int) -> None:
        self.number = number


class Ledger(types.ModuleType):
    """The module `ledger`, which every body imports."""

    def __init__(self) -> None:
        super().__init__("ledger")
        self.numbers = itertools.count(1)
        self.tokens: dict[int, weakref.ref[Token]] = {}

    def token(self) -> Token:
        token = Token(next(self.numbers))
        self.tokens[token.number] = weakref.ref(token)
        return token

    def alive(self) -> set[int]:
        gc.collect()
        return {number for number, token in self.tokens.items() if token() is not None}


@dataclass
class Known:
    """The model of a module: the numbers of its current and old version."""

    current: int | None = None
    old: int | None = None


@dataclass(eq=False)
class Step:
    """A batch, the versions it was prepared against, and the versions that a revert must restore."""

    batch: Batch = field(repr=False)
    basis: dict[str, int | None]
    new: dict[str, int]
    deleted: tuple[str, ...]
    before: dict[str, Known] = field(default_factory=dict)


@dataclass(eq=False)
class Hold:
    """A holder of a function, in a field that can be deleted: Hypothesis keeps the results of rules alive."""

    function: FunctionType = field(repr=False)


def number_of(namespace: Namespace) -> int:
    token = namespace["TOKEN"]
    assert isinstance(token, Token)
    return token.number


def functions_of(namespace: Namespace) -> Iterator[object]:
    """Own and imported functions, and those of classes, which may be older because a class outlives its version."""
    for value in namespace.values():
        yield from vars(value).values() if isinstance(value, type) else [value]


def closure(namespaces: Iterable[Namespace]) -> set[int]:
    """The numbers of these namespaces and of all that their functions reach; an old version may reach purged ones."""
    numbers: set[int] = set()
    waiting = list(namespaces)
    while waiting:
        namespace = waiting.pop()
        if number_of(namespace) not in numbers:
            numbers.add(number_of(namespace))
            functions = [one for one in functions_of(namespace) if isinstance(one, FunctionType)]
            waiting += [function.__globals__ for function in functions if "TOKEN" in function.__globals__]
    return numbers


Changes = dict[str, str]
CHANGES = st.dictionaries(st.sampled_from(list(MODULES)), st.sampled_from(("forwards", "back", "not")), min_size=1)
"""Modules to load, and the edit of each file before the load."""


class Histories(RuleBasedStateMachine):
    prepared = Bundle("prepared")
    committed = Bundle("committed")
    held = Bundle("held")

    def __init__(self) -> None:
        from tests.support.projects.code_shop import App  # only after pytest has registered it as a plugin

        super().__init__()
        self.ledger = sys.modules["ledger"] = Ledger()
        self.server = CodeServer()
        self.server.install()
        self.directory = tempfile.TemporaryDirectory()
        self.app = App(Path(self.directory.name), self.server)
        self.texts = itertools.count(1)
        self.on_disk = dict.fromkeys(MODULES, 0)
        self.text_of: dict[int, int] = {}
        self.starred: dict[int, int | None] = {}
        """For each version of `top` that was replaced, the version of `pkg.mid` that was current then."""
        self.holds: list[Hold] = []
        self.steps: list[Step] = []
        self.known = {module: Known() for module in MODULES}

    def teardown(self) -> None:
        for step in self.steps:
            if step.batch.status == "prepared":
                step.batch.discard()
            del step.batch
        for hold in self.holds:
            del hold.function
        alive = self.ledger.alive()
        expected = closure([v.namespace for m in MODULES for v in self.server.versions(m) if v is not None])
        self.server.uninstall()
        del sys.modules["ledger"]
        self.directory.cleanup()
        assert alive == expected, "namespaces that nobody needs are alive, or needed ones are not"

    def text(self, module: str, n: int) -> str:
        return (BODY if module != "top" else "").format(n=n) + MODULES[module].format(n=n)

    def module(self, name: str) -> Any:
        return sys.modules[name]

    # ------------------------------------------------------------ what is done

    @initialize()
    def boot(self) -> None:
        self.app.boot(**{FILES[module]: self.text(module, 0) for module in MODULES})
        for name in MODULES:
            importlib.import_module(name)
        for name in MODULES:
            number = number_of(vars(self.module(name)))
            self.known[name].current, self.text_of[number] = number, 0

    @rule(target=committed, changes=CHANGES, delete=st.booleans())
    def load(self, changes: Changes, delete: bool) -> Step | None:
        return self.made_current(self.executed(changes, delete))

    @rule(target=committed, changes=CHANGES, delete=st.booleans())
    def load_once_more(self, changes: Changes, delete: bool) -> Step | None:
        """The same rule again: loads must be frequent, and Hypothesis disables some rules in each history."""
        return self.made_current(self.executed(changes, delete))

    @rule(target=prepared, changes=CHANGES, delete=st.booleans())
    def prepare(self, changes: Changes, delete: bool) -> Step | None:
        return self.executed(changes, delete)

    @rule(target=committed, step=consumes(prepared))
    def commit(self, step: Step | None) -> Step | None:
        return self.made_current(step)

    def edit(self, module: str, how: str) -> None:
        known = self.known[module].old or self.known[module].current
        if how == "forwards":
            self.on_disk[module] = next(self.texts)
        elif how == "back":
            self.on_disk[module] = self.text_of[known] if known is not None else 0

    def executed(self, changes: Changes, delete: bool) -> Step | None:
        modules = list(changes)
        for module, how in changes.items():
            self.edit(module, how)
        deleted = ("extra",) if delete and "extra" not in modules else ()
        fresh = [m for m in modules if not self.is_taken_back(m, modules)]
        refused = {m for m in (*fresh, *deleted) if self.is_held(self.known[m].old)}
        sources = self.app.write(**{FILES[m]: self.text(m, self.on_disk[m]) for m in sorted(modules)})
        try:
            batch = self.server.prepare(sources.values(), deleted)
        except OldVersionHeld as held:
            named = {held.module}
        else:
            named = set()
        assert named <= refused
        assert bool(named) == bool(refused)
        if refused:
            return None
        new = {m: number_of(batch.namespace(m)) for m in modules}
        for module, number in new.items():
            if self.is_taken_back(module, modules):
                assert number == self.known[module].old
            self.text_of[number] = self.on_disk[module]
        basis = {m: self.known[m].current for m in (*modules, *deleted)}
        step = Step(batch, basis, new, deleted)
        self.steps.append(step)
        return step

    def made_current(self, step: Step | None) -> Step | None:
        if step is None or step.batch.status != "prepared":
            return None
        if any(basis not in (None, self.known[module].current) for module, basis in step.basis.items()):
            with pytest.raises(CodeError, match="was loaded again"):
                step.batch.commit()
            step.batch.discard()
            return None
        step.batch.commit()
        if "top" in step.new and (replaced := self.known["top"].current) is not None:
            self.starred[replaced] = self.known["pkg.mid"].current
        step.before = {m: Known(self.known[m].current, self.known[m].old) for m in step.basis}
        for module, number in step.new.items():
            known = self.known[module]
            known.old = known.current or (known.old if known.old != number else None)
            known.current = number
        for module in step.deleted:
            known = self.known[module]
            known.current, known.old = None, known.current or known.old
        return step

    @rule(step=consumes(prepared))
    def discard(self, step: Step | None) -> None:
        if step is not None and step.batch.status == "prepared":
            step.batch.discard()

    @rule(step=consumes(committed))
    def revert(self, step: Step | None) -> None:
        if step is None:
            return
        after = {**step.new, **dict.fromkeys(step.deleted)}
        if any(self.known[module].current != number for module, number in after.items()):
            with pytest.raises(CodeError, match="was loaded again"):
                step.batch.revert()
            return
        step.batch.revert()
        for module, known in step.before.items():
            self.known[module] = known

    @rule(step=consumes(committed))
    def forget(self, step: Step | None) -> None:
        if step is not None:
            self.steps.remove(step)
            del step.batch

    @rule(module=st.sampled_from(list(MODULES)), how=st.sampled_from(("purge", "soft_purge", "sweep")))
    def clean(self, module: str, how: str) -> None:
        held = {module for module in MODULES if self.is_held(self.known[module].old)}
        free = MODULES.keys() - held
        if how == "purge":
            assert self.server.purge(module) == []
            free = {module}
        elif how == "soft_purge":
            assert self.server.soft_purge(module) == (module in free)
            free &= {module}
        else:
            assert set(self.server.sweep()) == held
        for one in free:
            self.known[one].old = None

    @rule(target=held, module=st.sampled_from(LASTING))
    def hold(self, module: str) -> Hold:
        self.holds.append(Hold(self.module(module).value))
        return self.holds[-1]

    @rule(hold=consumes(held))
    def let_go(self, hold: Hold) -> None:
        self.holds.remove(hold)
        del hold.function

    # ------------------------------------------------------------ what has to be true

    def is_taken_back(self, module: str, changed: Collection[str]) -> bool:
        """An equal old version is current again, unless its body has used another version of another module."""
        old = self.known[module].old
        if old is None or self.text_of[old] != self.on_disk[module]:
            return False
        used, user = STARRED
        if module != user:
            return True
        taken_back = used not in changed or self.is_taken_back(used, changed)
        known = self.known[used]
        return taken_back and self.starred[old] == (known.old if used in changed else known.current)

    def is_held(self, number: int | None) -> bool:
        """A held function holds its namespace, and all namespaces that it imports from."""
        return number is not None and number in self.reached()

    def reached(self) -> set[int]:
        """The versions reached from held functions, and from versions that are prepared but not committed."""
        known = {known.old for known in self.known.values()}
        for step in self.steps:
            if step.batch.status == "committed":
                known |= {number for before in step.before.values() for number in (before.current, before.old)}
                known.update(step.new.values())
        waiting = [hold.function.__globals__ for hold in self.holds]
        for step in self.steps:
            if step.batch.status == "prepared":
                waiting += [step.batch.namespace(module) for module, number in step.new.items() if number not in known]
        return closure(waiting)

    @invariant()
    @precondition(lambda self: self.known["pkg"].current)
    def versions_are_those_of_the_model(self) -> None:
        for name, known in self.known.items():
            versions = [None if one is None else number_of(one.namespace) for one in self.server.versions(name)]
            assert versions == [known.current, known.old], name
            assert (name in sys.modules) == (known.current is not None)

    @invariant()
    @precondition(lambda self: self.known["pkg"].current)
    def every_name_means_the_current_version(self) -> None:
        loaded = {name: known.current for name, known in self.known.items() if known.current is not None}
        for name, number in loaded.items():
            module = self.module(name)
            assert module.value() == self.text_of[number]
            for function, origin in module.seen().items():
                assert function() == self.module(origin).value(), f"{name} sees an old {origin}"
            for alias, function in vars(module).items():
                if isinstance(function, FunctionType) and "TOKEN" in function.__globals__:
                    origin = sys.modules[function.__module__]
                    assert function.__globals__ is vars(origin), f"{name}.{alias} is of a version that is not current"
        for origin, name, importer, alias in COPIES:
            if {origin, importer} <= {*loaded}:
                source, copy = vars(self.module(origin)), vars(self.module(importer)).get(alias)
                left_out = (origin, importer) == STARRED and name == alias and name not in source.get("__all__", [name])
                theirs = None if left_out else source.get(name)
                assert copy is theirs, f"{importer}.{alias} is not {origin}.{name}"
        assert self.module("pkg").low is self.module("pkg.low")


Histories.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=ROUNDS,
    deadline=None,
    derandomize=QUICK,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestHistories = pytest.mark.slow(Histories.TestCase)
