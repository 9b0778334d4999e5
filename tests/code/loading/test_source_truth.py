"""Tracebacks and the tools that read source show the version that runs, not the one that is current."""

from __future__ import annotations

import gc
import inspect
import io
import linecache
import pdb
import shutil
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

OLD = "def f():\n    raise ValueError('old')  # old line\n"
NEW = "# a line more\n# and another\ndef f():\n    raise ValueError('new')  # new line\n"


def shown(function: Callable[[], object]) -> str:
    with pytest.raises(ValueError, match=r"old|new") as raised:
        function()
    return traceback.format_exception(raised.value)[-2]


@pytest.fixture(autouse=True)
def cold_linecache() -> Iterator[None]:
    linecache.clearcache()
    yield
    linecache.clearcache()


def test_tracebacks_show_the_lines_of_the_version_that_runs(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    old = a.f
    app.load(a=NEW)
    assert 'shop-1.0/src/a.py", line 2' in shown(old)
    assert "# old line" in shown(old)
    assert 'shop-2.0/src/a.py", line 4' in shown(a.f)
    assert "# new line" in shown(a.f)


def test_inspect_shows_each_version_its_own_source(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    old = a.f
    app.load(a=NEW)
    assert inspect.getsource(old) == OLD
    assert inspect.getsource(a.f) == NEW.partition("# and another\n")[2]
    assert str(inspect.getsourcefile(old)).endswith("shop-1.0/src/a.py")
    assert inspect.getsource(a) == NEW
    assert a.__spec__.loader.get_source("a") == NEW


def test_the_source_of_a_version_outlives_its_file(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    old = a.f
    app.load(a=NEW)
    shutil.rmtree(app.directory)
    assert "# old line" in shown(old)
    assert "# new line" in shown(a.f)


def test_a_file_that_was_edited_in_place_shows_both_its_texts(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    old, file = a.f, app.directory / "shop-1.0" / "src" / "a.py"
    linecache.getlines(str(file))
    source = app.current("a").unit.source
    file.write_text(NEW)
    app.server.prepare([source]).commit()
    assert a.f.__code__.co_filename == f"{file}@{app.current('a').sha256[:12]}"
    assert "# new line" in shown(a.f)
    assert inspect.getsource(a.f) == NEW.partition("# and another\n")[2]
    assert old.__code__.co_filename == str(file)


def test_a_body_that_fails_has_its_line_in_the_traceback(app: App) -> None:
    app.boot(a="")
    with pytest.raises(Exception, match="a can't be loaded") as failed:
        app.prepare(a="\n\nraise KeyError('x')\n")
    assert "line 3" in "".join(traceback.format_exception(failed.value.__cause__))


def test_future_features_of_the_runtime_do_not_leak_into_modules(app: App) -> None:
    app.boot(a="def f(x: 1 + 1): ...\n")
    a = imported("a")
    assert a.f.__annotations__ == {"x": 2}
    app.load(a="def f(x: 1 + 2): ...\n")
    assert a.f.__annotations__ == {"x": 3}


def test_a_file_edited_under_a_running_version_is_shown_as_it_was(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    file = app.directory / "shop-1.0" / "src" / "a.py"
    file.write_text(f"{NEW}# and more\n")
    assert "# old line" in shown(a.f)
    assert inspect.getsource(a.f) == OLD
    old = a.f
    app.load(a=NEW)
    assert "# old line" in shown(old)
    app.server.purge("a")
    moved, new = app.directory / "shop-2.0" / "src" / "a.py", a.f
    moved.write_text(OLD)
    assert "# new line" in shown(new)


def test_a_batch_that_is_dropped_leaves_no_lines_behind(app: App) -> None:
    app.boot(a=OLD)
    imported("a")
    file = str(app.directory / "shop-2.0" / "src" / "a.py")
    app.prepare(a=NEW).discard()
    gc.collect()
    (app.directory / "shop-2.0" / "src" / "a.py").write_text("X = 1\n")
    assert linecache.getlines(file) == ["X = 1\n"]


def test_the_lines_of_an_old_class_are_found_by_its_methods_only(app: App) -> None:
    text = "class C:\n    def f(self):\n        return '{n}'\n"
    app.boot(a=text.format(n="old"))
    a = imported("a")
    old = a.C
    app.load(a=f"X = 1\n\n{text.format(n='new')}")
    assert "'old'" in inspect.getsource(old.f)
    assert "'new'" in inspect.getsource(a.C)
    assert "'old'" not in inspect.getsource(old), "inspect asks the module of that name where its file is"


def in_pdb(function: Callable[[], object], *commands: str) -> str:
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("\n".join([*commands, "c\n"])), stdout=out, nosigint=True)
    debugger.use_rawinput = False
    with pytest.raises(ValueError, match=r"old|new"):
        debugger.runcall(function)
    return out.getvalue()


def test_the_debugger_shows_each_version_its_own_lines(app: App) -> None:
    app.boot(a=OLD)
    a = imported("a")
    old = a.f
    app.load(a=NEW)
    file = app.directory / "shop-2.0" / "src" / "a.py"
    source, new = app.current("a").unit.source, a.f
    assert "# old line" in in_pdb(old, "ll")
    assert "# new line" in in_pdb(new, "ll")
    del old
    app.server.purge("a")
    file.write_text("X = 1\n\n\n\n" + OLD.replace("old line", "edited line"))
    app.server.prepare([source]).commit()
    assert "# new line" in in_pdb(new, "ll")
    assert "# edited line" in in_pdb(a.f, "ll")
