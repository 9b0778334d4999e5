"""The hooks of a module: its version, a check before it becomes visible, and the objects that it carries over."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import LoadFailed
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


# ---------------------------------------------------------------- __vsn__


def test_a_module_may_declare_its_version(app: App) -> None:
    app.boot(a="__vsn__ = '1.2'\n", b="__vsn__ = 7\n", c="")
    imported("a")
    imported("b")
    imported("c")
    app.load(a="__vsn__ = '1.3'\n")
    assert (app.current("a").vsn, app.old("a").vsn) == ("1.3", "1.2")
    assert app.current("b").vsn == "7"
    plain = app.current("c")
    assert plain.vsn == plain.sha256[:12]


# ---------------------------------------------------------------- __on_load__

ON_LOAD = """
X = {n}
CALLS = []
def __on_load__(old):
    CALLS.append(None if old is None else old["X"])
"""


def test_on_load_is_called_with_the_old_namespace_or_none(app: App) -> None:
    app.boot(a=ON_LOAD.format(n=1))
    a = imported("a")
    assert a.CALLS == [None]
    batch = app.load(a=ON_LOAD.format(n=2), fresh=ON_LOAD.format(n=9))
    assert a.CALLS == [1]
    assert sys.modules["fresh"].CALLS == [None]
    batch.revert()
    assert a.CALLS == [None], "a revert loads nothing"
    app.load(a=ON_LOAD.format(n=2))
    app.load(a=ON_LOAD.format(n=1))
    assert a.CALLS == [None, 2], "a version that is taken back is loaded once more"


REFUSING = "X = {n}\ndef __on_load__(old):\n    if old is not None:\n        raise RuntimeError('not now')\n"


@pytest.mark.parametrize("mates", [{}, {"b": "X = 2\n", "fresh": "X = 2\n"}])
def test_an_on_load_that_raises_refuses_the_whole_batch(app: App, mates: dict[str, str]) -> None:
    app.boot(a="X = 1\n", b="X = 1\n")
    a = imported("a")
    b = imported("b")
    seen = dict(vars(a))
    with pytest.raises(LoadFailed) as failed:
        app.prepare(a=REFUSING.format(n=2), **mates)
    assert (failed.value.module, failed.value.line) == ("a", 4)
    assert "RuntimeError: not now" in str(failed.value)
    assert dict(vars(a)) == seen
    assert (a.X, b.X) == (1, 1)
    assert app.server.versions("a")[1] is None
    assert "fresh" not in sys.modules
    app.load(a="X = 3\n")
    assert a.X == 3


def test_an_on_load_that_raises_refuses_a_first_import(app: App) -> None:
    app.boot(a="def __on_load__(old):\n    raise RuntimeError('not now')\n", b="X = 1\n")
    with pytest.raises(RuntimeError, match="not now"):
        imported("a")
    assert "a" not in sys.modules
    assert app.server.versions("a") == (None, None)
    app.boot(a="X = 1\n", b="X = 1\n")
    a = imported("a")
    assert a.X == 1


def test_an_on_load_that_refuses_a_restored_version_leaves_both_versions_unchanged(app: App) -> None:
    app.boot(a=REFUSING.format(n=1))
    a = imported("a")
    app.load(a="X = 2\n")
    with pytest.raises(LoadFailed, match="not now"):
        app.prepare(a=REFUSING.format(n=1))
    assert a.X == 2
    assert app.old("a").namespace["X"] == 1


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (
            "def __on_load__(old):\n    return False\n",
            "__on_load__ returned False: it must return None to accept the load, or raise",
        ),
        (
            "async def __on_load__(old): ...\n",
            "__on_load__ is an async function, but nothing awaits it: make it a plain function",
        ),
        ("__on_load__ = 7\n", "__on_load__ is 7: it must be a function that takes the old namespace"),
    ],
)
def test_an_on_load_accepts_by_returning_none(app: App, hook: str, said: str) -> None:
    app.boot(a="")
    imported("a")
    with pytest.raises(LoadFailed, match=said) as failed:
        app.prepare(a=hook)
    assert "line 0" not in str(failed.value)
    with pytest.raises(LoadFailed, match=said):
        app.prepare(fresh=hook)


def test_an_on_load_may_take_over_from_the_old_namespace_itself(app: App) -> None:
    body = "N = {n}\nlog = []\ndef __on_load__(old):\n    if old:\n        log.extend(old['log'])\n    log.append(N)\n"
    app.boot(a=body.format(n=1))
    a = imported("a")
    first = a.log
    batch = app.load(a=body.format(n=2))
    assert a.log == [1, 2]
    batch.revert()
    assert a.log is first
    assert a.log == [1]


# ---------------------------------------------------------------- __carry__

CARRYING = """
__carry__ = ["cache", "count", "absent"]
N = {n}
cache = {{}}
count = 0
ALIAS = cache
def put(key, store=cache):
    global count
    count += 1
    store[key] = N
    return cache
"""


def test_an_object_listed_in_carry_stays_the_same_object(app: App) -> None:
    app.boot(a=CARRYING.format(n=1))
    a = imported("a")
    cache, put = a.cache, a.put
    put("x")
    batch = app.prepare(a=CARRYING.format(n=2))
    put("y")
    batch.commit()
    assert (a.cache, a.count) == ({"x": 1, "y": 1}, 2), "also what was bound anew since it was prepared"
    assert a.cache is a.ALIAS is cache
    assert a.put("z") is cache
    assert put("late") is cache
    assert cache == {"x": 1, "y": 1, "z": 2, "late": 1}
    assert not hasattr(a, "absent")
    batch.revert()
    assert a.cache is cache
    assert a.put("w") == {"x": 1, "y": 1, "z": 2, "late": 1, "w": 1}


HUB = """
__carry__ = ["Hub.seen", "Hub.count", "Hub.absent", "Kept.seen"]
class Hub:
    N = {n}
    seen = []
    count = 0
class Kept:
    seen = []
"""


def test_the_attributes_of_a_class_that_carry_lists_stay_the_same_objects(app: App) -> None:
    app.boot(a=HUB.format(n=1))
    a = imported("a")
    old, seen, kept = a.Hub, a.Hub.seen, a.Kept.seen
    batch = app.prepare(a=HUB.format(n=2))
    old.count += 1
    a.Kept.seen.append(1)
    batch.commit()
    assert (a.Hub.N, a.Hub.count) == (2, 1), "also what was bound anew since it was prepared"
    assert a.Hub.seen is seen
    assert a.Kept.seen is kept
    assert not hasattr(a.Hub, "absent")
    assert old.seen is seen
    batch.revert()
    assert (a.Hub, a.Hub.count, a.Hub.seen, a.Kept.seen) == (old, 1, seen, kept)


def test_carry_may_be_anywhere_in_the_module(app: App) -> None:
    app.boot(a="cache = ['old']\n")
    a = imported("a")
    cache = a.cache
    app.load(a="cache = []\nTAKEN_BEFORE = cache\n__carry__ = ('cache',)\nTAKEN_AFTER = cache\n")
    assert a.cache is a.TAKEN_AFTER is cache
    assert a.TAKEN_BEFORE == []


def test_a_body_can_see_which_objects_are_carried(app: App) -> None:
    body = """
        import counted
        __carry__ = ["connection"]
        if "connection" not in globals():
            connection = counted.connect()
        X = {n}
    """
    app.boot(a=body.format(n=1), counted="MADE = []\ndef connect():\n    MADE.append(1)\n    return object()\n")
    a = imported("a")
    counted = imported("counted")
    connection = a.connection
    app.load(a=body.format(n=2))
    assert a.connection is connection
    assert counted.MADE == [1]


def test_carry_applies_to_a_restored_version(app: App) -> None:
    app.boot(a=CARRYING.format(n=1))
    a = imported("a")
    a.put("x")
    app.load(a=CARRYING.format(n=2))
    a.put("y")
    batch = app.load(a=CARRYING.format(n=1))
    assert (a.N, a.count) == (1, 2)
    batch.revert()
    assert (a.N, a.count) == (2, 2)
    assert app.old("a").namespace["count"] == 1


def test_carried_objects_keep_no_version_alive(app: App) -> None:
    app.boot(a=CARRYING.format(n=1))
    a = imported("a")

    class Token:
        pass

    token = Token()
    app.current("a").namespace["TOKEN"] = token
    gone = weakref.ref(token)
    del token
    app.load(a=CARRYING.format(n=2))
    assert app.server.soft_purge("a")
    gc.collect()
    assert gone() is None
    assert a.cache == {}


FUNCTION = """
N = {n}
total = N
def __carry__(old):
    return {{"total": old["total"] + N, "before": old["N"]}}
"""


def test_carry_may_be_a_function_of_the_old_namespace(app: App) -> None:
    app.boot(a=FUNCTION.format(n=1))
    a = imported("a")
    assert a.total == 1
    batch = app.load(a=FUNCTION.format(n=10))
    assert (a.total, a.before) == (11, 1)
    batch.revert()
    assert a.total == 1
    assert not hasattr(a, "before")
    app.load(a=FUNCTION.format(n=10))
    batch = app.load(a=FUNCTION.format(n=1))
    assert (a.N, a.total, a.before) == (1, 12, 10)
    batch.revert()
    assert (a.N, a.total) == (10, 11)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__carry__ = 'cache'\n", "__carry__ is 'cache'"),
        ("__carry__ = [1]\n", "it must be a list of names"),
        ("def __carry__(old):\n    return 1\n", "__carry__ returned 1"),
        ("def __carry__(old):\n    raise KeyError('x')\n", "KeyError: 'x'"),
    ],
)
def test_an_invalid_carry_is_refused(app: App, text: str, said: str) -> None:
    app.boot(a="X = 1\n")
    a = imported("a")
    with pytest.raises(LoadFailed, match=said):
        app.prepare(a=text)
    assert a.X == 1


@pytest.mark.parametrize("text", ["__carry__ = 'cache'\n", "globals()['__carry__'] = 'cache'\n"])
def test_an_invalid_carry_is_refused_from_the_first_import_on(app: App, text: str) -> None:
    app.boot(a="X = 1\n", b=text)
    imported("a")
    said = "__carry__ is 'cache': it must be a list of names, or a function that takes the old namespace"
    for modules in ({"fresh": text}, {"a": text}):
        with pytest.raises(LoadFailed, match=said):
            app.prepare(**modules)
    with pytest.raises(TypeError, match=said):
        imported("b")


def test_a_class_can_be_carried_on_purpose(app: App) -> None:
    app.boot(a="class Plain:\n    def f(self):\n        return 1\n")
    a = imported("a")
    plain = a.Plain
    app.load(a="__carry__ = ['Plain']\nclass Plain:\n    def f(self):\n        return 2\n")
    assert a.Plain is plain
    assert a.Plain().f() == 1
