"""Unchanged dataclasses, enumerations, exceptions and named tuples are the same objects in the next version."""

from __future__ import annotations

import copy
import enum
import gc
import pickle
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from tests.support.class_examples import KINDS, module
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


def old_namespace(app: App) -> weakref.ref[object]:
    """A weak reference to an object that only the old namespace of `a` holds."""

    class Token:
        pass

    token = Token()
    app.current("a").namespace["TOKEN"] = token
    return weakref.ref(token)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_class_is_carried_over(app: App, kind: str) -> None:
    app.boot(a=module(KINDS[kind], tail="VALUE = 1\n"))
    a = imported("a")
    thing, token = a.Thing, old_namespace(app)
    before = dict(vars(thing))
    batch = app.load(a="# moved down a line\n" + module(KINDS[kind], tail="VALUE = 2\n"))
    assert a.VALUE == 2
    assert a.Thing is thing
    batch.revert()
    assert a.Thing is thing
    assert dict(vars(thing)) == before
    app.load(a=module(KINDS[kind], tail="VALUE = 3\n"))
    assert a.Thing is thing
    del before, batch
    assert app.server.soft_purge("a")
    gc.collect()
    assert token() is None, "the carried class keeps the old namespace alive"


def test_objects_that_the_body_makes_of_a_carried_class_refer_to_the_carried_one(app: App) -> None:
    body = """
        import enum
        from dataclasses import dataclass
        class Colour(enum.Enum):
            RED = 1
        @dataclass
        class State:
            colour: Colour = Colour.RED
        class Boom(Exception):
            pass
        class Louder(Boom):
            volume = {n}
        BY_NAME = {{"red": Colour.RED}}
        DEFAULT = State()
        def fail(kind=Boom):
            raise kind
        def caught():
            try:
                fail()
            except Boom:
                return {n}
    """
    app.boot(a=body.format(n=1), b="from a import Boom, Colour, State\nimport a\n")
    a = imported("a")
    b = imported("b")
    old = (a.Colour, a.State, a.Boom, a.Colour.RED, a.DEFAULT)
    louder = a.Louder
    app.load(a=body.format(n=2))
    assert (a.Colour, a.State, a.Boom, a.Colour.RED) == old[:4]
    assert b.Boom is a.Boom
    assert a.BY_NAME["red"] is old[3]
    assert old[4] == a.DEFAULT
    assert a.Louder is not louder
    assert issubclass(louder, a.Boom)
    assert issubclass(a.Louder, a.Boom)
    assert a.caught() == 2
    with pytest.raises(a.Boom):
        a.fail()


def test_a_carried_class_is_the_same_object_in_every_module_of_the_batch(app: App) -> None:
    errors = "class Boom(Exception):\n    pass\nX = {n}\n"
    shop = """
        import errors
        from errors import Boom
        class Late(Boom): ...
        class Later(errors.Boom): ...
        X = {n}
    """
    app.boot(errors=errors.format(n=1), shop=shop.format(n=1))
    module = imported("shop")
    classes = module.Late, module.Later
    app.load(shop=shop.format(n=2), errors=errors.format(n=2))
    assert (module.Late, module.Later) == classes
    app.load(errors="class Boom(Exception):\n    code = 1\n", shop=shop.format(n=3))
    assert module.Late is not classes[0]
    assert module.Later is not classes[1]


def test_carrying_classes_over_is_invisible_before_the_commit(app: App) -> None:
    text = module(KINDS["dataclass"])
    app.boot(a=text)
    a = imported("a")
    before = dict(vars(a.Thing))
    app.prepare(a=text + "X = 2\n").discard()
    batch = app.prepare(a=text + "X = 3\n")
    assert dict(vars(a.Thing)) == before
    assert batch.namespace("a")["Thing"] is a.Thing
    batch.commit()
    assert dict(vars(a.Thing)) != before


def test_a_carried_class_has_the_functions_and_lines_of_the_version_that_is_current(app: App) -> None:
    text = module(KINDS["exception"])
    app.boot(a=text)
    a = imported("a")
    first = app.current("a").namespace
    assert a.Thing.__init__.__globals__ is first
    batch = app.load(a="\n\n" + text)
    second = app.current("a").namespace
    assert a.Thing.__init__.__globals__ is second
    assert a.Thing.__init__.__code__.co_filename.endswith("shop-2.0/src/a.py")
    assert a.Thing("abc").why == "abc"[::-1]
    batch.revert()
    assert a.Thing.__init__.__globals__ is first
    app.load(a="\n\n" + text)
    app.load(a=text)
    assert app.current("a").namespace is first, "the old version was taken back"
    assert a.Thing.__init__.__globals__ is first
    app.load(a="\n\n" + text)
    assert a.Thing.__init__.__globals__ is app.current("a").namespace
    assert a.Thing.__init__.__globals__ is not first


def test_a_class_that_is_deleted_and_comes_back_has_the_attributes_of_its_version(app: App) -> None:
    text = "class Boom(Exception):\n    def f(self):\n        return 1\n"
    app.boot(a=text)
    a = imported("a")
    boom, error = a.Boom, a.Boom()
    app.load(a=text + "X = 2\n")
    app.load(a=text.replace("1", "3"))
    assert a.Boom is not boom
    app.load(a=text + "X = 2\n")
    assert a.Boom is boom
    assert error.f() == 1
    token = old_namespace(app)
    app.load(a=text + "X = 4\n")
    assert a.Boom is boom
    app.server.purge("a")
    gc.collect()
    assert token() is None


def test_pickle_copy_and_equality_work_across_a_load(app: App) -> None:
    text = module(KINDS["dataclass"])
    app.boot(a=text)
    a = imported("a")
    thing = a.Thing(5, [1])
    data = pickle.dumps(thing)
    app.load(a=text + "X = 2\n")
    assert pickle.loads(data) == thing == copy.deepcopy(thing) == a.Thing(5, [1])
    assert pickle.dumps(thing) == data
    app.load(a=module(KINDS["dataclass"].replace("x: int = 1", "x: int = 7")))
    assert pickle.loads(data) != thing
    with pytest.raises(pickle.PicklingError, match="not the same object"):
        pickle.dumps(thing)
    assert copy.copy(thing) == thing
    assert type(copy.deepcopy(thing)) is type(thing)


def test_composite_flags_and_lookups_survive(app: App) -> None:
    text = "import enum\nclass Mode(enum.Flag):\n    R = 1\n    W = 2\n    X = 4\n"
    app.boot(a=text)
    a = imported("a")
    mode = a.Mode.R | a.Mode.X
    app.load(a=text + "N = 2\n")
    assert a.Mode(5) is mode
    assert a.Mode["R"] in mode
    assert mode == ~a.Mode.W


def test_local_names_of_a_module_body_are_its_global_names(app: App) -> None:
    body = """
        class Boom(Exception):
            pass
        N = {n}
        assert locals()["N"] == globals()["N"] == vars()["N"]
        locals()["SET"] = [i for i in range(N)]
        exec("DONE = N")
        x: int = 1
        for gone in range(2):
            pass
        del gone
        from string import *
        assert "gone" not in locals() and len(locals()) == len(globals())
        pairs = {{a: b for a in range(N) for b in range(N)}}
    """
    app.boot(a=body.format(n=1))
    a = imported("a")
    boom = a.Boom
    app.load(a=body.format(n=2))
    assert a.Boom is boom
    assert (a.SET, a.DONE, a.pairs) == ([0, 1], 2, {0: 1, 1: 1})
    assert a.ascii_letters
    assert not hasattr(a, "gone")
    assert sys.modules["a"] is a


@pytest.mark.parametrize("kind", KINDS)
def test_instances_of_carried_classes_hold_no_old_version(app: App, kind: str) -> None:
    app.boot(a=module(KINDS[kind], tail="VALUE = 1\n"))
    a = imported("a")
    thing, token = a.Thing, old_namespace(app)
    kept = [thing, getattr(thing, "__members__", None)]
    if not isinstance(thing, enum.EnumType):
        kept.append(thing(**dict.fromkeys(getattr(thing, "_fields", ()), 1)))
    app.load(a=module(KINDS[kind], tail="VALUE = 2\n"))
    assert app.server.soft_purge("a")
    gc.collect()
    assert token() is None
    assert kept[0] is a.Thing
