"""A commit switches a set of modules and their importers; a revert undoes it exactly."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import CodeError
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


def picture(*modules: str) -> dict[str, object]:
    """Everything that a revert must restore."""
    return {
        name: (sys.modules.get(name), dict(vars(sys.modules[name])) if name in sys.modules else None)
        for name in modules
    }


def test_a_commit_switches_a_module_for_all_its_importers(app: App) -> None:
    app.boot(a="X = 1\ndef f():\n    return X\n", b="import a as other\nHELD = [other]\n")
    a = imported("a")
    b = imported("b")
    held = a.f
    app.load(a="X = 2\ndef f():\n    return X\n")
    assert a.f() == b.other.f() == b.HELD[0].f() == 2
    assert sys.modules["a"] is a
    assert held() == 1


def test_writing_to_a_module_reaches_the_functions_of_its_current_version(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.boot(a="X = 1\ndef f():\n    return g()\ndef g():\n    global X\n    X += 1\n    return X\n")
    a = imported("a")
    app.load(a="X = 10\ndef f():\n    return g()\ndef g():\n    global X\n    X += 1\n    return X\n")
    assert (a.f(), a.X) == (11, 11)
    monkeypatch.setattr("a.g", lambda: "patched")
    assert a.f() == "patched"


def test_from_imports_of_the_old_object_follow(app: App) -> None:
    app.boot(
        a="def f():\n    return 1\ndef g():\n    return 1\n",
        b="""
            try:
                from a import f, g as renamed
            except ImportError:
                pass
            if True:
                with open(__file__):
                    from a import g
            changed = g
            g = "mine"
            def both():
                return f(), renamed()
            class Inner:
                from a import f
        """,
    )
    b = imported("b")
    app.load(a="def f():\n    return 2\ndef g():\n    return 2\n")
    assert b.both() == (2, 2)
    assert b.g == "mine"
    assert b.changed() == b.Inner.f() == 1


def test_star_imports_follow_and_gain_new_names(app: App) -> None:
    app.boot(
        a="X = [1]\n_hidden = [1]\nSAME = None\n",
        listed="__all__ = ['_x']\n_x = [1]\ny = [1]\n",
        b="from a import *\nfrom listed import *\n",
    )
    b = imported("b")
    app.load(a="X = [2]\nNEW = [2]\n_hidden = [2]\nSAME = None\n", listed="__all__ = ['_x']\n_x = [2]\ny = [2]\n")
    assert (b.X, b.NEW, b._x) == ([2], [2], [2])
    assert not hasattr(b, "_hidden")
    assert not hasattr(b, "y")


def test_re_exported_names_follow_along_the_chain(app: App) -> None:
    app.boot(
        low="def f():\n    return 1\n",
        pkg____init__="from low import f\n",
        high="from pkg import f\nfrom low import f as direct\n",
    )
    high = imported("high")
    batch = app.load(low="def f():\n    return 2\n", fresh="from pkg import f\n")
    fresh = imported("fresh")
    assert high.f() == high.direct() == fresh.f() == 2
    batch.revert()
    assert high.f() == high.direct() == 1


def test_only_the_current_versions_of_importers_follow(app: App) -> None:
    app.boot(a="def f():\n    return 1\n", b="from a import f\ndef g():\n    return f()\n")
    b = imported("b")
    old = b.g
    app.load(b="from a import f\ndef g():\n    return f()\nY = 1\n")
    app.load(a="def f():\n    return 2\n")
    assert (b.g(), old()) == (2, 1)


def test_new_modules_appear_and_deleted_ones_disappear(app: App) -> None:
    app.boot(pkg____init__="", pkg__old="X = 1\n", gone="Y = 1\n", a="import gone\n")
    a = imported("a")
    gone = imported("gone")
    pkg = imported("pkg.old")
    before = picture("pkg", "pkg.old", "gone", "a", "pkg.new", "new")
    batch = app.load(pkg__new="X = 2\n", new="from pkg.new import X\n", deleted=("pkg.old", "gone"))
    new = imported("new")
    assert new.X == pkg.new.X == 2
    assert not hasattr(pkg, "old")
    assert not {"pkg.old", "gone"} & sys.modules.keys()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pkg.old")
    with pytest.raises(AttributeError):
        _ = a.gone.Y
    batch.revert()
    assert picture(*before) == before
    assert (a.gone.Y, gone.Y, pkg.old.X) == (1, 1, 1)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("new")


def test_folders_of_data_files_disappear_with_their_package(app: App) -> None:
    app.boot(pkg____init__="", pkg__old="", other="")
    for name in ("pkg", "pkg.old"):
        imported(name)
    folder = app.directory / "shop-1.0" / "src" / "pkg" / "words" / "short"
    folder.mkdir(parents=True)
    (folder / "list.txt").write_text("one two")
    short = importlib.import_module("pkg.words.short")
    batch = app.load(other="X = 1\n", deleted=("pkg", "pkg.old"))
    assert not [name for name in sys.modules if name.partition(".")[0] == "pkg"]
    batch.revert()
    assert sys.modules["pkg.words.short"] is short
    app.load(other="X = 2\n", deleted=("pkg", "pkg.old"))


def test_a_new_version_of_a_package_keeps_its_submodules(app: App) -> None:
    app.boot(pkg____init__="X = 1\n", pkg__sub="X = 1\n", pkg__late="X = 1\n", pkg__later="X = 1\n")
    pkg = imported("pkg.sub")
    batch = app.prepare(pkg____init__="X = 2\n")
    pkg = imported("pkg.late")
    batch.commit()
    assert (pkg.X, pkg.sub.X, pkg.late.X) == (2, 1, 1)
    pkg = imported("pkg.later")
    batch.revert()
    assert (pkg.X, pkg.sub.X, pkg.late.X, pkg.later.X) == (1, 1, 1, 1)


def test_a_revert_restores_every_binding(app: App) -> None:
    app.boot(
        a="def f():\n    return 1\nX = [1]\n",
        b="from a import f\nfrom a import *\nimport a\n",
        c="from b import f\n",
        pkg____init__="from . import sub\n",
        pkg__sub="from a import f\n",
    )
    a = imported("a")
    b = imported("b")
    imported("c")
    pkg = imported("pkg")
    names = ("a", "b", "c", "pkg", "pkg.sub", "fresh")
    app.load(a="def f():\n    return 2\nX = [2]\n")
    before = picture(*names)
    versions = {name: app.server.versions(name) for name in names}
    sources = dict(app.server._table.sources)
    for _ in range(3):
        batch = app.load(a="def f():\n    return 3\nNEW = 3\n", pkg____init__="Y = 3\n", fresh="", deleted=("c",))
        assert b.f() == pkg.sub.f() == a.f() == 3
        batch.revert()
        assert picture(*names) == before
        assert {name: app.server.versions(name) for name in names} == versions
        assert app.server._table.sources == sources


def test_a_module_that_was_first_imported_after_a_commit_follows_the_revert(app: App) -> None:
    app.boot(a="X = [1]\n", late="from a import X\n")
    imported("a")
    batch = app.load(a="X = [2]\n")
    late = imported("late")
    assert late.X == [2]
    batch.revert()
    assert late.X == [1]


def test_a_batch_overtaken_by_another_one_is_refused(app: App) -> None:
    app.boot(a="X = 1\n", b="X = 1\n")
    a = imported("a")
    b = imported("b")
    stale = app.prepare(a="X = 2\n", b="X = 2\n")
    app.load(b="X = 3\n")
    with pytest.raises(CodeError, match="b was loaded again"):
        stale.commit()
    assert (a.X, b.X) == (1, 3)


def test_a_batch_is_committed_and_reverted_or_discarded_once(app: App) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    batch = app.prepare(a="X = 2\n")
    with pytest.raises(CodeError, match="is prepared, and this call needs a committed batch: commit it first"):
        batch.revert()
    batch.discard()
    for again in (batch.commit, batch.discard, batch.vanished):
        with pytest.raises(CodeError, match="discarded"):
            again()
    assert (a.X, app.server.versions("a")[1]) == (1, None)


def test_imported_names_that_would_be_lost_are_listed(app: App) -> None:
    app.boot(
        a="def kept(): ...\ndef lost(): ...\ndef unused(): ...\n",
        gone="",
        pkg____init__="from . import sub\nlost = [1]\n",
        pkg__sub="",
        plain="from a import kept, lost as mine\n",
        indoors="def f():\n    from a import lost\n    return lost\n",
        starred="from a import *\ndef f():\n    return lost\n",
        moved_on="from a import lost\nlost = None\n",
        mate="from a import lost\n",
        holder="import gone\n",
        packaged="from pkg import sub, lost\n",
    )
    for name in ("plain", "indoors", "starred", "moved_on", "mate", "holder", "packaged"):
        importlib.import_module(name)
    batch = app.prepare(
        a="def kept(): ...\n", mate="from a import kept\n", pkg____init__="from . import sub\n", deleted=("gone",)
    )
    assert batch.vanished() == [
        "a.lost imported by indoors",
        "a.lost imported by plain",
        "a.lost imported by starred",
        "gone imported by holder",
        "pkg.lost imported by packaged",
    ]
    answering = app.prepare(a="def __getattr__(name): ...\n")
    assert answering.vanished() == []


async def test_a_batch_is_switched_within_one_turn_of_the_event_loop(app: App) -> None:
    """A commit or revert contains no await, so no task can see half of one."""
    app.boot(**{f"m{i}": "X = 1\n" for i in range(20)})
    modules = [importlib.import_module(f"m{i}") for i in range(20)]
    batch = app.load(**{f"m{i}": "X = 2\n" for i in range(20)})
    assert {module.X for module in modules} == {2}
    batch.revert()
    assert {module.X for module in modules} == {1}
