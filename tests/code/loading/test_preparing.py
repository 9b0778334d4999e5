"""New versions are executed in full while all other code sees the current versions only."""

from __future__ import annotations

import asyncio
import builtins
import enum
import importlib
import sys
import threading
import typing
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime.code import CodeError, LoadFailed
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App, Gate

pytest_plugins = ["tests.support.projects.code_shop"]


def test_a_prepared_batch_is_invisible_until_its_commit(app: App) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    real_import, names = builtins.__import__, set(sys.modules)
    batch = app.prepare(a="X = 2\n", fresh="import a\nX = a.X\n")
    assert a.X == 1
    assert batch.namespace("a")["X"] == batch.namespace("fresh")["X"] == 2
    assert builtins.__import__ is real_import
    assert set(sys.modules) == names
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fresh")
    batch.commit()
    assert (a.X, importlib.import_module("fresh").X) == (2, 2)


async def test_threads_and_callbacks_never_see_what_is_being_prepared(app: App, gate: Gate) -> None:
    app.boot(
        a="X = 1\ndef lazily():\n    import late\n    from pkg import sub\n    return X, late.X, sub.X\n",
        late="X = 1\n",
        pkg____init__="X = 1\n",
        pkg__sub="X = 1\n",
    )
    a = imported("a")
    pkg = imported("pkg")
    new = {
        "a": "import late\nfrom pkg import sub, extra\nX = 2\n",
        "late": "X = 2\n",
        "pkg__sub": "X = 2\n",
        "pkg__extra": "X = 2\nimport gate\ngate.wait()\nY = 2\n",
    }
    preparing = asyncio.create_task(asyncio.to_thread(lambda: app.prepare(**new)))
    await asyncio.to_thread(gate.reached.wait, 30)
    in_thread = asyncio.to_thread(lambda: (a.lazily(), hasattr(pkg, "extra"), "pkg.extra" in sys.modules))
    assert await in_thread == ((1, 1, 1), False, False)
    assert a.lazily() == (1, 1, 1)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pkg.extra")
    waiting = asyncio.create_task(asyncio.to_thread(app.server.prepare, app.write(a="X = 3\n").values()))
    gate.opened.set()
    batch = await preparing
    (await waiting).discard()
    assert a.lazily() == (1, 1, 1)
    batch.commit()
    assert (a.X, sys.modules["late"].X, pkg.sub.X, pkg.extra.Y) == (2, 2, 2, 2)


def test_modules_of_a_batch_see_each_others_new_versions_and_all_others_current_ones(app: App) -> None:
    app.boot(a="X = 1\n", b="import a\nX = a.X\n", other="X = 1\n")
    b = imported("b")
    batch = app.prepare(b="import a, other\nfrom a import X as Y\nX = a.X, Y, other.X\n", a="X = 2\n")
    assert batch.namespace("b")["X"] == (2, 2, 1)
    assert b.X == 1


def test_a_staged_body_stores_the_stable_module_object_everywhere(app: App) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    app.load(
        a="X = 2\n",
        b="import a, pkg.sub\nHELD = [a]\ndef f(module=a):\n    return module.X\nclass C:\n    module = a\n",
        pkg____init__="",
        pkg__sub="",
    )
    b = imported("b")
    pkg = imported("pkg.sub")
    assert b.a is b.HELD[0] is b.C.module is a is sys.modules["a"]
    assert b.pkg is pkg
    assert b.pkg.sub is sys.modules["pkg.sub"]
    app.load(a="X = 3\n")
    assert b.f() == b.C.module.X == 3


def test_circular_and_relative_imports_are_prepared_in_their_natural_order(app: App) -> None:
    text = {
        "pkg____init__": "from . import one, two\nfrom .two import TWO\n",
        "pkg__one": "from . import two\nimport pkg.two as again\nONE = {n}\ndef f():\n    return two.TWO + again.TWO\n",
        "pkg__two": "import pkg.one\nfrom pkg import one\nTWO = {n}\ndef g():\n    return pkg.one.ONE + one.ONE\n",
    }
    app.boot(**{name: body.format(n=1) for name, body in text.items()})
    pkg = imported("pkg")
    assert (pkg.one.f(), pkg.two.g(), pkg.TWO) == (2, 2, 1)
    app.load(**{name: body.format(n=10) for name, body in text.items()})
    assert (pkg.one.f(), pkg.two.g(), pkg.TWO) == (20, 20, 10)


def test_a_whole_new_package_is_prepared(app: App) -> None:
    app.boot(a="")
    app.load(
        a="from fresh.deep import leaf\nfrom fresh.deep.leaf import *\nimport fresh.deep\nX = fresh.deep.leaf.LEAF\n",
        fresh____init__="from .deep import leaf as grandchild\n",
        fresh__deep____init__="",
        fresh__deep__leaf="LEAF = 1\n",
    )
    a = imported("a")
    fresh = imported("fresh")
    assert a.X == a.LEAF == a.leaf.LEAF == fresh.grandchild.LEAF == 1
    assert a.leaf is sys.modules["fresh.deep.leaf"]


def test_a_new_submodule_is_found_through_a_package_outside_the_batch(app: App) -> None:
    app.boot(pkg____init__="", a="")
    pkg = imported("pkg")
    batch = app.prepare(
        pkg__fresh="X = 1\n",
        a="import pkg.fresh\nfrom pkg import fresh\nfrom pkg.fresh import X\nY = pkg.fresh.X\n",
    )
    assert not hasattr(pkg, "fresh")
    batch.commit()
    a = imported("a")
    assert a.Y == a.X == a.fresh.X == 1
    assert pkg.fresh is a.fresh
    batch.revert()
    assert not hasattr(pkg, "fresh")
    assert "pkg.fresh" not in sys.modules


def test_a_new_module_may_define_classes_that_are_looked_up_by_their_module(app: App) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    body = """
        from __future__ import annotations
        import dataclasses, enum, importlib, sys, typing

        @dataclasses.dataclass(slots=True)
        class State:
            count: int = 0
            limit: typing.ClassVar[int] = 1
            colour: Colour | None = None

        class Colour(enum.Enum):
            OLIVE = 1

        HINTS = typing.get_type_hints(State)
        FOUND = importlib.import_module(__name__), sys.modules.get(__name__)
        assert __name__ in sys.modules
        assert __name__ not in list(sys.modules)
    """
    batch = app.load(fresh=body, a="import fresh\nfresh.State(count=1)\n")
    real = sys.modules
    fresh = real["fresh"]
    assert type(real) is dict
    assert a.fresh is fresh
    assert all(found is fresh for found in fresh.FOUND)
    assert fresh.HINTS["colour"] == fresh.Colour | None
    assert fresh.State.__slots__ == ("count", "colour")
    batch.revert()
    assert "fresh" not in sys.modules


def test_a_lookup_of_a_module_during_its_preparation_finds_the_new_version(app: App) -> None:
    body = """
        from __future__ import annotations
        import dataclasses, enum, typing, collections

        class Colour(enum.Enum):
            {colours}

        Point = collections.namedtuple("Point", "x y")

        class Pair(typing.NamedTuple):
            left: Colour
            right: int = 0

        @dataclasses.dataclass(slots=True)
        class Base:
            colour: Colour
            limit: typing.ClassVar[int] = 1
            only: dataclasses.InitVar[int] = 0

        @dataclasses.dataclass
        class State(Base):
            count: int = {n}

        HINTS = typing.get_type_hints(State)
    """
    app.boot(a=body.format(colours="OLIVE = 1", n=1))
    a = imported("a")
    batch = app.load(a=body.format(colours="OLIVE = RED = 2", n=2))
    namespace = batch.namespace("a")
    assert a.HINTS["colour"] is a.Colour is namespace["Colour"]
    assert typing.get_type_hints(a.State)["colour"] is a.Colour
    assert typing.get_type_hints(a.Pair)["left"] is a.Colour
    assert a.State(a.Colour.RED) == a.State(a.Colour.OLIVE, count=2)
    assert a.State.__init__.__globals__ is namespace
    assert issubclass(a.Colour, enum.Enum)
    assert a.State.__module__ == a.Point.__module__ == "a"


def test_importlib_finds_the_new_version_of_a_loaded_module_in_a_body(app: App) -> None:
    app.boot(a="X = 1\n", b="")
    a = imported("a")
    batch = app.prepare(b="import importlib\nX = importlib.import_module('a').X\n", a="X = 2\n")
    assert (batch.namespace("b")["X"], a.X) == (2, 1)


def test_importlib_in_a_body_is_refused_for_a_name_that_is_not_loaded(app: App) -> None:
    app.boot(a="", unloaded="X = 1\n")
    imported("a")
    with pytest.raises(LoadFailed, match="import it by an import statement"):
        app.prepare(a="import importlib\nimportlib.import_module('unloaded')\n")
    assert "unloaded" not in sys.modules
    assert importlib.import_module("unloaded").X == 1


def test_a_managed_module_that_is_first_imported_by_a_body_joins_the_batch(app: App) -> None:
    app.boot(a="X = 1\n", b="", late="from a import X\n")
    a = imported("a")
    imported("b")
    batch = app.prepare(a="X = 2\n", b="import late\n")
    assert "late" not in sys.modules
    late = imported("late")
    assert late.X == 1
    batch.commit()
    assert sys.modules["late"] is late
    assert late.X == a.X == 2
    assert app.server.modules["late"].old is not None


def test_a_module_that_joined_and_fails_fails_only_where_it_is_needed(app: App) -> None:
    app.boot(a="", broken="1 / 0\n", unreadable="def f(:\n")
    imported("a")
    batch = app.prepare(a="try:\n    import broken\nexcept ZeroDivisionError:\n    X = 1\n")
    assert batch.modules == ("a",)
    assert batch.namespace("a")["X"] == 1
    with pytest.raises(LoadFailed) as failed:
        app.prepare(a="import unreadable\n")
    assert (failed.value.module, failed.value.line) == ("unreadable", 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("X = 1\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("X = 1\ndef f(:\n    pass\n", 2, "SyntaxError"),
        ("import no_such_module_here\n", 1, "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("from a import vanished\n", 1, "ImportError: cannot import name 'vanished'"),
        ("import doomed\n", 1, "it is being deleted"),
        ("from pkg import doomed\n", 1, "it is being deleted"),
        ("X = '\0'\n", 0, "null bytes"),
    ],
)
def test_a_body_that_fails_changes_nothing_and_is_named(app: App, text: str, line: int, said: str) -> None:
    app.boot(a="X = 1\n", b="import a\n", doomed="", pkg____init__="", pkg__doomed="")
    a = imported("a")
    b = imported("b")
    imported("doomed")
    pkg = imported("pkg.doomed")
    before = {name: dict(vars(module)) for name, module in (("a", a), ("b", b), ("pkg", pkg))}
    names, real_import = set(sys.modules), builtins.__import__
    with pytest.raises(LoadFailed) as failed:
        app.prepare(a="X = 2\n", b=text, fresh="", deleted=("doomed", "pkg.doomed"))
    assert (failed.value.module, failed.value.line) == ("b", line)
    assert failed.value.path.endswith("b.py")
    assert said in str(failed.value)
    assert {name: dict(vars(sys.modules[name])) for name in before} == before
    assert set(sys.modules) == names
    assert builtins.__import__ is real_import
    assert app.server.versions("fresh") == (None, None)
    app.load(a="X = 3\n")
    assert a.X == 3


def test_the_module_that_failed_is_named_and_not_the_one_that_imported_it(app: App) -> None:
    app.boot(a="", b="")
    with pytest.raises(LoadFailed) as failed:
        app.prepare(a="import b\n", b="\nraise ValueError('no')\n")
    assert (failed.value.module, failed.value.line) == ("b", 2)
    assert isinstance(failed.value.__cause__, ValueError)


def test_a_failure_that_another_module_of_the_batch_swallows_fails_the_batch(app: App) -> None:
    app.boot(a="", b="")
    with pytest.raises(LoadFailed, match="b can't be loaded"):
        app.prepare(a="try:\n    import b\nexcept Exception:\n    pass\n", b="1 / 0\n")


def test_a_body_that_prepares_modules_is_refused(app: App) -> None:
    app.boot(a="")
    with pytest.raises(LoadFailed, match="A module's body can't prepare modules"):
        app.prepare(a="from node_runtime.code import current\ncurrent().prepare([])\n")


def test_a_missing_source_file_is_named(app: App) -> None:
    sources = app.write(a="")
    (app.directory / "shop-1.0" / "src" / "a.py").unlink()
    with pytest.raises(LoadFailed, match="FileNotFoundError"):
        app.server.prepare(sources.values())


def test_a_commit_during_a_preparation_invalidates_the_preparation(app: App, gate: Gate) -> None:
    app.boot(low="X = 1\n", a="from low import X\n")
    a = imported("a")
    ready, errors = app.prepare(low="X = 2\n"), []

    def prepare() -> None:
        try:
            app.prepare(a="from low import X\nimport gate\ngate.wait()\n")
        except CodeError as error:
            errors.append(error)

    thread = threading.Thread(target=prepare)
    thread.start()
    assert gate.reached.wait(60)
    ready.commit()
    gate.opened.set()
    thread.join()

    assert "Another load was committed or reverted while these modules were prepared" in str(errors[0])
    assert a.X == 2


def test_other_threads_import_as_usual_while_a_batch_is_prepared(app: App, gate: Gate) -> None:
    app.boot(a="", elsewhere="X = 1\n")
    batches = []
    thread = threading.Thread(target=lambda: batches.append(app.prepare(a="import gate\ngate.wait()\n")))
    thread.start()
    assert gate.reached.wait(60)
    elsewhere = imported("elsewhere")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module_here")
    gate.opened.set()
    thread.join()
    assert elsewhere.X == 1
    assert app.server.modules["elsewhere"].current is not None
    assert batches[0].modules == ("a",)


def test_an_error_of_a_body_without_a_text_is_told_with_its_module_and_line(app: App) -> None:
    app.boot(a="N = 1\n")
    text = """
        class Mute(Exception):
            def __str__(self):
                return self.text
        raise Mute
    """
    with pytest.raises(LoadFailed, match=r"^a can't be loaded: a Mute whose text raised AttributeError \(.*, line 5\)"):
        app.load(a=text)


LAZY = """
    class Lazy:
        @property
        def __class__(self): raise RuntimeError("not configured")
    lazy = Lazy()
    class Shelf:
        first = lazy
    def get(what=lazy): return {n}
    get.kept = lazy
    TABLE = {{"lazy": lazy}}
"""


def test_a_lazy_object_that_cannot_name_its_class_yet_is_no_obstacle(app: App) -> None:
    app.boot(m=LAZY.format(n=1), kept=LAZY.format(n=1))
    m: Any = __import__("m")
    __import__("kept")
    batch = app.prepare(m=LAZY.format(n=2))
    assert (batch.warnings(), batch.carried_obstacles()) == ((), [])
    batch.commit()
    assert m.get() == 2
    batch.revert()
    assert m.get() == 1
