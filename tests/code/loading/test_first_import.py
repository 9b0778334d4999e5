"""A managed module is imported as any other, and its object in sys.modules passes for a module."""

from __future__ import annotations

import copy
import importlib
import importlib.resources
import inspect
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import CodeError, CodeServer
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


def test_a_managed_module_passes_every_check_for_modules(app: App) -> None:
    app.boot(a="'''Says one.'''\ndef one():\n    return 1\n")
    a = imported("a")
    assert a.one() == 1
    assert inspect.ismodule(a)
    assert isinstance(a, types.ModuleType)
    assert repr(a) == f"<module 'a' from {a.__file__!r}>"
    assert a.__doc__ == "Says one."
    assert "one" in dir(a)
    assert vars(a) is a.one.__globals__
    assert inspect.getmodule(a.one) is a
    assert inspect.getsource(a).startswith("'''Says one.'''")


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_a_managed_module_cannot_be_copied_like_any_module(app: App, copied: Callable[[object], object]) -> None:
    app.boot(a="")
    a = imported("a")
    with pytest.raises(TypeError, match="cannot pickle"):
        copied(a)


def test_packages_submodules_and_relative_imports_work(app: App) -> None:
    app.boot(
        pkg____init__="from .low import LOW\nfrom . import low\n",
        pkg__low="LOW = 1\n",
        pkg__deep____init__="from ..low import LOW\nfrom .leaf import leaf as pick\n",
        pkg__deep__leaf="from .. import low\ndef leaf():\n    return low.LOW\n",
    )
    pkg = imported("pkg.deep.leaf")
    assert pkg.deep.leaf.leaf() == pkg.deep.pick() == pkg.low.LOW == pkg.LOW == 1
    assert pkg.deep.leaf.__package__ == "pkg.deep"
    assert importlib.import_module(".low", "pkg") is pkg.low


def test_a_parent_that_no_application_lists_is_a_package_without_a_body(app: App) -> None:
    app.boot(shops__berlin__till="TILL = 1\n")
    shops = imported("shops.berlin.till")
    assert shops.berlin.till.TILL == 1
    assert [path.name for path in importlib.resources.files("shops.berlin").iterdir()] == ["till.py"]


def test_applications_may_share_a_parent_that_none_lists(app: App, server: CodeServer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("")
    server.add_application("first", "1.0", {"shared.one": tmp_path / "one.py"})
    server.add_application("second", "1.0", {"shared.two": tmp_path / "two.py"})
    server.add_application("first", "2.0", {})
    shared = imported("shared.two")
    assert shared.two
    with pytest.raises(ModuleNotFoundError):
        imported("shared.one")


def test_source_that_no_application_lists_is_not_loaded_from_a_managed_package(app: App) -> None:
    app.boot(pkg____init__="", pkg__listed="")
    pkg = imported("pkg.listed")
    (app.directory / "shop-1.0" / "src" / "pkg" / "stray.py").write_text("")
    with pytest.raises(ModuleNotFoundError, match=r"application shop 1\.0 does not list it"):
        imported("pkg.stray")
    with pytest.raises(ImportError, match="cannot import name 'stray'"):
        from pkg import stray  # type: ignore[import-not-found]  # noqa: F401  # it is the error that is expected
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'pkg\.nowhere'"):
        imported("pkg.nowhere")
    assert pkg.listed


def test_a_folder_that_has_data_files_only_is_a_package_as_elsewhere(app: App) -> None:
    app.boot(pkg____init__="")
    folder = app.directory / "shop-1.0" / "src" / "pkg" / "words"
    folder.mkdir()
    (folder / "list.txt").write_text("one two")
    words = imported("pkg.words").words
    assert list(words.__path__) == [str(folder)]
    assert importlib.resources.files("pkg.words").joinpath("list.txt").read_text() == "one two"
    del sys.modules["pkg.words"]  # no module of the code server, so nothing else removes it


def test_modules_that_import_each_other_work(app: App) -> None:
    app.boot(
        a="import b\ndef f():\n    return b.X\nY = 2\n",
        b="import a\nX = 1\ndef g():\n    return a.Y\n",
    )
    a = imported("a")
    b = imported("b")
    assert (a.f(), b.g()) == (1, 2)


def test_nothing_is_written_beside_the_sources(app: App) -> None:
    app.boot(pkg____init__="from . import a\n", pkg__a="")
    pkg = imported("pkg")
    app.load(pkg__a="X = 1\n")
    assert pkg.a.X == 1
    assert not list(app.directory.rglob("__pycache__"))


def test_a_module_level_getattr_answers_for_missing_names(app: App) -> None:
    app.boot(a="def __getattr__(name):\n    return name.upper()\n", plain="")
    a = imported("a")
    plain = imported("plain")
    assert a.anything == "ANYTHING"
    with pytest.raises(AttributeError):
        _ = plain.anything
    batch = app.load(a="", plain="def __getattr__(name):\n    return name\n")
    assert plain.anything == "anything"
    assert not hasattr(a, "anything")
    batch.revert()
    assert a.anything == "ANYTHING"
    assert not hasattr(plain, "anything")


def test_a_first_import_that_fails_can_be_tried_again(app: App) -> None:
    app.boot(a="import gone_and_forgotten\n", broken="def f(:\n")
    with pytest.raises(ModuleNotFoundError, match="gone_and_forgotten"):
        imported("a")
    with pytest.raises(SyntaxError):
        imported("broken")
    assert not {"a", "broken"} & sys.modules.keys()
    app.boot(a="X = 1\n")
    a = imported("a")
    assert a.X == 1


def test_a_reload_in_place_is_refused(app: App) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    with pytest.raises(ImportError, match="install a release"):
        importlib.reload(a)
    assert a.X == 1


def test_a_module_that_was_imported_before_is_not_taken_over(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "elsewhere", types.ModuleType("elsewhere"))
    with pytest.raises(CodeError, match="restart the node"):
        app.prepare(elsewhere="X = 1\n")


def test_the_main_module_is_unchanged(app: App) -> None:
    main, names = sys.modules["__main__"], set(vars(sys.modules["__main__"]))
    app.boot(a="X = 1\n")
    a = imported("a")
    app.load(a="X = 2\n").revert()
    assert a.X == 1
    assert sys.modules["__main__"] is main
    assert set(vars(main)) == names


def test_an_uninstalled_server_leaves_no_trace(app: App, server: CodeServer) -> None:
    app.boot(pkg____init__="", pkg__a="")
    imported("pkg.a")
    server.uninstall()
    assert not {"pkg", "pkg.a"} & sys.modules.keys()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pkg")
    CodeServer().uninstall()


def test_a_package_without_a_body_is_removed_with_its_last_module(server: CodeServer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("X = 1\n")
    server.add_application("first", "1.0", {"shared.one": tmp_path / "one.py"})
    server.add_application("second", "1.0", {"shared.two": tmp_path / "two.py"})
    importlib.import_module("shared.one")
    importlib.import_module("shared.two")
    server.prepare([], ["shared.one"]).commit()
    server.add_application("first", "2.0", {})
    assert "shared" in sys.modules
    server.prepare([], ["shared.two"]).commit()
    server.add_application("second", "2.0", {})
    assert [name for name in sys.modules if name.startswith("shared")] == []
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("shared")
