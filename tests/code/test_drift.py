"""Loaded code is compared with files and with what a release says."""

from __future__ import annotations

pytest_plugins = ["code_shop"]


def file_of(app, module):
    return app.server._table.sources[module].path


def test_the_status_of_a_module_follows_its_file(app):
    app.boot(a="X = 1\n", pkg__sub="")
    assert app.server.module_status("a") == app.server.module_status("nowhere") == "not_loaded"
    import a  # noqa: F401
    import pkg.sub  # noqa: F401

    assert app.server.module_status("a") == app.server.module_status("pkg") == "loaded"
    assert app.server.modified() == []
    with open(file_of(app, "a"), "a") as file:
        file.write("Y = 2\n")
    assert app.server.module_status("a") == "modified"
    (drift,) = app.server.modified()
    assert (drift.module, drift.on_disk == drift.loaded) == ("a", False)
    assert str(drift) == f"a runs other code than its file has: {file_of(app, 'a')}."
    app.server.prepare([app.server._table.sources["a"]]).commit()
    assert app.server.module_status("a") == "loaded"


def test_a_module_whose_file_is_gone_is_removed(app):
    app.boot(a="X = 1\n")
    import a  # noqa: F401

    (app.directory / "shop-1.0" / "src" / "a.py").unlink()
    assert app.server.module_status("a") == "removed"
    assert str(app.server.modified()[0]).startswith("a runs code whose file is gone")


def test_a_release_s_manifest_is_the_other_measure(app):
    app.boot(a="X = 1\n", b="X = 1\n")
    import a
    import b  # noqa: F401

    sums = {name: app.server.versions(name)[0].sha256 for name in ("a", "b")}
    assert app.server.modified(sums) == []
    batch = app.load(a="X = 2\n")
    (drift,) = app.server.modified(sums)
    assert (drift.module, drift.released) == ("a", sums["a"])
    assert str(drift).startswith("a does not run the code of its release")
    batch.revert()
    assert app.server.modified(sums) == []
    assert a.X == 1


def test_an_unchanged_module_may_have_its_file_in_another_release(app):
    app.boot(a="X = 1\n")
    import a  # noqa: F401

    first = app.directory / "shop-1.0" / "src" / "a.py"
    app.boot(a="X = 1\n")
    first.unlink()
    assert app.server.modified() == []


def test_what_can_t_be_read_is_as_good_as_gone(app):
    app.boot(a="X = 1\n")
    import a  # noqa: F401

    file = app.directory / "shop-1.0" / "src" / "a.py"
    file.unlink()
    file.mkdir()
    assert app.server.module_status("a") == "removed"


def test_a_deleted_module_is_not_loaded(app):
    app.boot(a="X = 1\n")
    import a  # noqa: F401

    app.load(deleted=("a",))
    assert app.server.module_status("a") == "not_loaded"
    assert app.server.modified({"a": "0"}) == []
