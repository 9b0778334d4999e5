"""Names taken by `from m import *` follow the module, also when `__all__` appears, disappears or changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

F = "def f():\n    return {n}\n"
PLAIN = "A = [{n}]\n_P = [{n}]\n" + F
LISTED = "__all__ = {names}\n" + PLAIN


def listed(n: int, *names: str) -> str:
    return LISTED.format(n=n, names=list(names))


FORMS: dict[str, Callable[..., str]] = {
    "none": PLAIN.format,
    "all of f": lambda n: listed(n, "f"),
    "all of _P and f": lambda n: listed(n, "_P", "f"),
    "all of A, _P and f": lambda n: listed(n, "A", "_P", "f"),
}


def taken(module: ModuleType) -> dict[str, object]:
    """The names that a new star import would take."""
    fresh: dict[str, object] = {}
    exec(f"from {module.__name__} import *", fresh)
    return {name: value for name, value in fresh.items() if name != "__builtins__"}


def has(importer: ModuleType) -> dict[str, object]:
    return {name: value for name, value in vars(importer).items() if name in ("A", "_P", "f")}


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", FORMS)
def test_the_importer_has_what_a_fresh_import_takes(app: App, before: str, after: str) -> None:
    app.boot(m=FORMS[before](n=1), u="from m import *\n")
    u, m = importlib.import_module("u"), importlib.import_module("m")
    names = has(u)
    assert names == taken(m)
    batch = app.load(m=FORMS[after](n=2))
    assert has(u) == taken(m)
    batch.revert()
    assert has(u) == names
    app.load(m=FORMS[after](n=3))
    app.load(u="from m import *\nX = 2\n")
    app.server.purge("m")
    app.load(m=FORMS[before](n=4))
    assert has(u) == taken(m)
    assert app.server.soft_purge("m")


def test_a_restored_importer_has_the_current_star_names(app: App) -> None:
    app.boot(m=PLAIN.format(n=1), u="from m import *\n")
    u, m = importlib.import_module("u"), importlib.import_module("m")
    back = app.load(u="X = 2\n")
    app.load(m=listed(2, "_P", "f"))
    back.revert()
    assert has(u) == taken(m)
    app.server.purge("m")
    back = app.load(u="X = 2\n")
    app.load(m=PLAIN.format(n=3))
    back.revert()
    assert has(u) == taken(m)


def test_a_name_missing_from_all_that_the_importer_reads_is_listed(app: App) -> None:
    app.boot(m=PLAIN.format(n=1), u="from m import *\ndef g():\n    return A, f()\n", other="from m import A\n")
    for name in ("u", "other"):
        importlib.import_module(name)
    assert app.prepare(m=listed(2, "f")).vanished() == ["m.A imported by u"]
    assert app.prepare(m=listed(2, "f", "A")).vanished() == []


def test_names_that_the_importer_binds_itself_are_left_unchanged(app: App) -> None:
    app.boot(m=PLAIN.format(n=1), u="_P = 'mine'\nfrom m import *\nA = 'mine'\n")
    u = importlib.import_module("u")
    app.load(m=listed(2, "A", "_P", "f"))
    assert (u.A, u._P, u.f()) == ("mine", "mine", 2)


def test_a_star_name_of_a_restored_importer_is_the_current_one(app: App) -> None:
    mid, top = "from low import X\nZ = 0\n", "from mid import *\n"
    app.boot(low="X = [0]\n", mid=mid, top=top)
    importlib.import_module("top")
    app.load(mid="from low import X\n__all__ = []\n")
    app.load(top=top + "Y = 1\n")
    app.load(top=top, mid=mid, low="X = [1]\n")
    assert importlib.import_module("top").X == [1]


def test_a_name_that_a_revert_gave_back_to_an_old_importer_follows_the_module_again(app: App) -> None:
    hiding = "__all__ = []\n" + PLAIN
    app.boot(m=PLAIN.format(n=1), u="from m import *\n")
    u, m = importlib.import_module("u"), importlib.import_module("m")
    hidden = app.load(m=hiding.format(n=2))
    app.load(m=hiding.format(n=2), u="from m import *\n")
    app.load(m=hiding.format(n=2))
    app.load(u="X = 2\n").revert()
    hidden.revert()
    app.load(m=hiding.format(n=3), u="from m import *\n")
    assert has(u) == taken(m)


def test_a_name_that_a_star_import_follows_is_no_load_hazard(app: App) -> None:
    app.boot(m=F.format(n=1), u="from m import *\n", v="from u import *\nfrom m import *\n", w="import m\ng = m.f\n")
    for module in "uvw":
        importlib.import_module(module)
    batch = app.prepare(m=F.format(n=2))
    assert batch.warnings() == ("w.g uses the replaced version of m until w is loaded again.",)
    batch.commit()
    assert [importlib.import_module(module).f() for module in "uv"] == [2, 2]
