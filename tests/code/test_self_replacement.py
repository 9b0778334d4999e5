"""Modules whose body puts another object into `sys.modules` under the module's name."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

CONF = """
import sys

class Conf:
    vsn = {n}

    def read(self):
        return self.vsn, helper()

def helper():
    return {n}

sys.modules[__name__] = Conf()
"""
USER = """
import conf
import conf as other
kept = [conf]

def told():
    from conf import vsn
    return conf.read(), other.vsn, vsn
"""
INSIDE = """
import k.conf
from k import conf
from k.conf import vsn

def told():
    return conf.read(), k.conf.read(), vsn
"""


def test_importers_get_the_object_of_the_new_version_and_a_revert_gives_the_former_one_back(app: App) -> None:
    app.boot(conf=CONF.format(n=1), user=USER)
    user = importlib.import_module("user")
    first = sys.modules["conf"]
    assert user.told() == ((1, 1), 1, 1)

    batch = app.load(conf=CONF.format(n=2))

    assert user.told() == ((2, 2), 2, 2)
    assert sys.modules["conf"] is user.conf is user.other is not first
    assert user.kept == [first]
    batch.revert()
    assert user.told() == ((1, 1), 1, 1)
    assert sys.modules["conf"] is user.conf is first


def test_a_replaced_object_of_a_submodule_follows_in_its_package_too(app: App) -> None:
    app.boot(k____init__="", k__conf=CONF.format(n=1), user=INSIDE)
    user = importlib.import_module("user")
    assert user.told() == ((1, 1), (1, 1), 1)
    app.load(k__conf=CONF.format(n=2))
    assert user.told()[:2] == ((2, 2), (2, 2))
    app.server.purge("k.conf")
    app.load(k____init__="X = 1\n", k__conf=CONF.format(n=3), user=INSIDE + "\n")
    assert user.told() == ((3, 3), (3, 3), 3)


def test_a_module_may_begin_and_cease_to_replace_itself(app: App) -> None:
    plain = "vsn = 1\ndef read():\n    return vsn, vsn\n"
    app.boot(conf=plain, user=USER)
    user = importlib.import_module("user")
    assert user.told() == ((1, 1), 1, 1)
    batch = app.load(conf=CONF.format(n=2))
    assert user.told() == ((2, 2), 2, 2)
    batch.revert()
    assert user.told() == ((1, 1), 1, 1)
    app.load(conf=CONF.format(n=2))
    app.server.purge("conf")
    app.load(conf=plain.replace("1", "3"))
    assert user.told() == ((3, 3), 3, 3)


def test_a_deleted_object_that_is_restored_can_be_imported_by_a_body(app: App) -> None:
    app.boot(k____init__="", user="")
    conf, user = CONF.format(n=1), "import k.conf\nfrom k import conf\nfrom k.conf import vsn\n"
    app.load(k__conf=conf, user=user)
    first = sys.modules["k.conf"]
    app.load(deleted=["k.conf"], user="conf = vsn = None\n")
    app.server.purge("user")

    batch = app.load(k__conf=conf, user=user)

    assert batch.taken_back == {"k.conf"}
    told = importlib.import_module("user")
    assert told.conf is told.k.conf is sys.modules["k.conf"] is first
    assert told.vsn == 1


def test_a_batch_that_is_dropped_leaves_the_object(app: App) -> None:
    app.boot(conf=CONF.format(n=1), user=USER)
    user = importlib.import_module("user")
    first = sys.modules["conf"]
    batch = app.prepare(conf=CONF.format(n=2))
    assert sys.modules["conf"] is first
    batch.discard()
    with pytest.raises(Exception, match="division"):
        app.prepare(conf=CONF.format(n=2) + "1 / 0\n")
    assert sys.modules["conf"] is user.conf is first
    assert user.told() == ((1, 1), 1, 1)


def test_a_module_that_something_else_imported_before_is_still_refused(app: App) -> None:
    sys.modules["conf"] = type(sys)("conf")
    try:
        with pytest.raises(Exception, match="before the code server managed it"):
            app.load(conf=CONF.format(n=1))
    finally:
        del sys.modules["conf"]
