"""Loaded code compared with the files on disk and with the manifest of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.code_shop import App

pytest_plugins = ["tests.support.code_shop"]


def file_of(app: App, module: str) -> str:
    return app.server._table.sources[module].path


def test_the_status_of_a_module_follows_its_file(app: App) -> None:
    app.boot(a="X = 1\n", pkg__sub="")
    assert app.server.module_status("a") == app.server.module_status("nowhere") == "not_loaded"
    imported("a")
    imported("pkg.sub")
    assert app.server.module_status("a") == app.server.module_status("pkg") == "loaded"
    assert app.server.modified() == []
    with open(file_of(app, "a"), "a") as file:
        file.write("Y = 2\n")
    assert app.server.module_status("a") == "modified"
    (drift,) = app.server.modified()
    assert (drift.module, drift.on_disk == drift.loaded) == ("a", False)
    assert str(drift) == f"The loaded code of a differs from its file {file_of(app, 'a')}."
    app.server.prepare([app.server._table.sources["a"]]).commit()
    assert app.server.module_status("a") == "loaded"


def test_a_module_whose_file_is_gone_is_removed(app: App) -> None:
    app.boot(a="X = 1\n")
    imported("a")
    (app.directory / "shop-1.0" / "src" / "a.py").unlink()
    assert app.server.module_status("a") == "removed"
    assert str(app.server.modified()[0]).startswith("The file of the loaded module a is missing")


def test_loaded_code_can_be_compared_with_a_manifest(app: App) -> None:
    app.boot(a="X = 1\n", b="X = 1\n")
    a = imported("a")
    imported("b")
    sums = {name: app.current(name).sha256 for name in ("a", "b")}
    assert app.server.modified(sums) == []
    batch = app.load(a="X = 2\n")
    (drift,) = app.server.modified(sums)
    assert (drift.module, drift.released) == ("a", sums["a"])
    assert str(drift).startswith("The loaded code of a differs from the code in its release")
    batch.revert()
    assert app.server.modified(sums) == []
    assert a.X == 1


def test_an_unchanged_module_may_come_from_the_file_of_another_release(app: App) -> None:
    app.boot(a="X = 1\n")
    imported("a")
    first = app.directory / "shop-1.0" / "src" / "a.py"
    app.boot(a="X = 1\n")
    first.unlink()
    assert app.server.modified() == []


def test_an_unreadable_file_counts_as_removed(app: App) -> None:
    app.boot(a="X = 1\n")
    imported("a")
    file = app.directory / "shop-1.0" / "src" / "a.py"
    file.unlink()
    file.mkdir()
    assert app.server.module_status("a") == "removed"


def test_a_deleted_module_is_not_loaded(app: App) -> None:
    app.boot(a="X = 1\n")
    imported("a")
    app.load(deleted=("a",))
    assert app.server.module_status("a") == "not_loaded"
    assert app.server.modified({"a": "0"}) == []
