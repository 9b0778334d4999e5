"""Batches that are prepared, committed and reverted across each other, and the bindings of importers afterwards.

The random histories found each of these; the sources are as small as they can be.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import CodeError
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LOW = "def value():\n    return 'low {n}'\n"
MID = "from low import value as lower\n"
TOP = "from mid import lower as passed_on\n"
STAR = "from mid import *\n"


def low(n: int) -> str:
    return LOW.format(n=n)


def test_a_name_copied_through_a_restored_version_is_the_current_one(app: App) -> None:
    app.boot(low=low(0), mid=MID, top=TOP)
    top = imported("top")
    app.load(mid=MID + "N = 1\n")
    app.server.sweep()
    app.load(low=low(1), mid=MID + "N = 2\n")
    app.load(mid=MID + "N = 1\n", top=TOP + "N = 1\n")

    assert top.passed_on() == "low 1"


def test_a_revert_reaches_a_later_module_through_another_one(app: App) -> None:
    app.boot(low=low(0), mid=MID, top=TOP)
    top = imported("top")
    first = app.load(low=low(1))
    app.load(top=TOP + "N = 1\n")
    first.revert()

    assert top.passed_on() == "low 0"


def test_a_restored_version_gives_nothing_stale_to_its_importers(app: App) -> None:
    app.boot(low=low(0), mid=MID, top=TOP)
    mid = imported("mid")
    top = imported("top")
    first = app.load(mid=MID + "N = 1\n")
    app.load(low=low(1))
    first.revert()

    assert (mid.lower(), top.passed_on()) == ("low 1", "low 1")


def test_a_deleted_module_that_comes_back_follows_later_loads(app: App) -> None:
    app.boot(low=low(0), mid=MID)
    mid = imported("mid")
    gone = app.load(deleted=("mid",))
    app.load(low=low(1))
    gone.revert()

    assert mid.lower() == "low 1"


def test_a_revert_leaves_later_bindings_from_elsewhere_unchanged(app: App) -> None:
    app.boot(low=low(0), mid=MID, top=TOP)
    top = imported("top")
    first = app.load(low=low(1))
    app.load(mid="def lower():\n    return 'mid'\n")
    first.revert()

    assert top.passed_on() == "mid"


def test_an_overtaken_batch_keeps_no_version(app: App) -> None:
    app.boot(low=low(0), mid=MID)
    mid = imported("mid")
    first = weakref.ref(mid.lower)
    overtaken = app.prepare(mid="N = 1\n")
    app.load(low=low(1), mid=MID + "N = 2\n")
    assert app.server.purge("mid") == []
    assert app.server.soft_purge("low")
    gc.collect()

    assert first() is None
    with pytest.raises(CodeError, match="mid was loaded again"):
        overtaken.commit()


def test_a_batch_made_obsolete_by_a_commit_keeps_no_version(app: App) -> None:
    app.boot(low=low(0), mid=MID)
    mid = imported("mid")
    first = weakref.ref(mid.lower)
    kept = app.load(mid=MID + "N = 1\n")
    app.load(low=low(1), mid=MID)
    assert app.server.purge("mid") == []

    assert app.server.soft_purge("low")
    assert first() is not None, "a revert may still need it"
    del kept
    gc.collect()
    assert first() is None


def test_a_batch_for_a_module_deleted_and_purged_meanwhile_is_refused(app: App) -> None:
    app.boot(low=low(0))
    module = imported("low")
    overtaken = app.prepare(low=low(1))
    app.server.delete("low")
    assert app.server.purge("low") == []
    with pytest.raises(CodeError, match="low was loaded again"):
        overtaken.commit()
    assert not hasattr(module, "value")


# ------------------------------------------------------------ star imports


def test_an_unread_name_of_a_star_import_disappears_with_its_origin(app: App) -> None:
    app.boot(mid="def kept(): ...\ndef bonus(): ...\n", top=STAR)
    mid = imported("mid")
    top = imported("top")
    batch = app.load(mid="def kept(): ...\n")
    assert top.kept is mid.kept
    assert not hasattr(top, "bonus")
    assert app.server.soft_purge("mid"), "the name would have kept the old version"
    batch.revert()
    assert top.bonus is mid.bonus


def test_a_new_name_reaches_a_star_import_of_a_restored_importer(app: App) -> None:
    app.boot(mid="", top=STAR)
    mid = imported("mid")
    top = imported("top")
    first = app.load(top=STAR + "N = 1\n")
    app.load(mid="def bonus(): ...\n")
    assert top.bonus is mid.bonus
    first.revert()
    assert top.bonus is mid.bonus


def test_a_name_that_the_importer_deletes_does_not_appear(app: App) -> None:
    text = STAR + "del bonus\n"
    app.boot(mid="def bonus(): ...\n", top=text)
    top = imported("top")
    first = app.load(top=text + "N = 1\n")
    app.load(mid="def bonus(): return 1\n")
    first.revert()
    assert not hasattr(top, "bonus")


def test_chained_star_imports_pass_on_the_exports_of_the_middle_module(app: App) -> None:
    app.boot(low="def old(): ...\n", mid="from low import *\n__all__ = ['old']\n", top=STAR)
    mid = imported("mid")
    top = imported("top")
    app.load(low="def old(): ...\ndef new(): ...\n")
    assert mid.new
    assert not hasattr(top, "new")
    assert top.old is mid.old
