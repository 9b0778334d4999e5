"""Bodies of a batch run in the order in which the boot ran them; new modules where they are first imported."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import LoadFailed

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

CIRCLE = {"za": "import zb\nX = {n}\ndef f():\n    return zb.Y\n", "zb": "from za import X\nY = {n}\n"}
"""A cycle that `import zb` can import and `import za` cannot."""


def circle(n: int, *names: str) -> dict[str, str]:
    return {name: CIRCLE[name].format(n=n) for name in names}


@pytest.mark.parametrize("asked", [("za", "zb"), ("zb", "za")])
def test_an_import_cycle_is_executed_from_where_the_boot_entered_it(app: App, asked: tuple[str, str]) -> None:
    app.boot(**circle(1, "za", "zb"))
    zb = importlib.import_module("zb")
    batch = app.load(**circle(2, *asked))
    assert batch.modules == asked
    assert (zb.X, zb.Y, sys.modules["za"].f()) == (2, 2, 2)


def test_the_order_survives_loads_of_single_modules(app: App) -> None:
    app.boot(**circle(1, "za", "zb"))
    zb = importlib.import_module("zb")
    app.load(**circle(2, "zb"))
    app.server.purge("zb")
    app.load(**circle(3, "za", "zb"))
    assert (zb.X, zb.Y) == (3, 3)


def test_without_import_statements_the_order_is_that_of_the_boot(app: App) -> None:
    body = "import ledger\nledger.NAMES.append((__name__, {n}))\n"
    app.boot(ledger="NAMES = []\n", **{name: body.format(n=1) for name in ("a", "b", "c")})
    for name in ("c", "a", "b"):
        importlib.import_module(name)
    app.prepare(**{name: body.format(n=2) for name in ("a", "b", "c")}).discard()
    ledger = sys.modules["ledger"]
    assert ledger.NAMES == [("c", 1), ("a", 1), ("b", 1), ("c", 2), ("a", 2), ("b", 2)]


def test_a_new_import_cycle_is_entered_where_its_importers_enter_it(app: App) -> None:
    app.boot(user="X = 1\n", other="X = 1\n")
    user, other = map(importlib.import_module, ("user", "other"))
    app.load(user="def f():\n    import zb\n    return zb.X\n", **circle(2, "za", "zb"))
    assert user.f() == 2
    app.load(
        other="from ya import late\ndef f():\n    return late()\n",
        ya="def late():\n    import zd\n    return zd.X\n",
        zc="import zd\nX = 3\n",
        zd="from zc import X\nY = 3\n",
    )
    assert other.f() == 3


def test_an_import_cycle_that_no_order_can_import_is_refused(app: App) -> None:
    app.boot(a="X = 1\n")
    importlib.import_module("a")
    with pytest.raises(LoadFailed, match="cannot import name"):
        app.prepare(a="from b import Y\nX = 1\n", b="from a import X\nY = 1\n")
