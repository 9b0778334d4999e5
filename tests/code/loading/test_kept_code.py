"""Code of a replaced version that other modules have looked up or registered is named, or handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.code.loading.test_load_hazards import booted, warnings

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LAZY = """
    import functools, importlib
    JOBS = []
    def __getattr__(name):
        found = getattr(importlib.import_module("a"), name)
        globals()[name] = found
        return found
    @functools.cache
    def named(name): return getattr(importlib.import_module("a"), name)
"""
FOUND = """
    class Thing:
        N = {n}
    def work(): return {n}
"""


def test_what_functions_have_looked_up_is_named_at_each_load_until_it_is_gone(app: App) -> None:
    (lazy, a) = booted(app, lazy=LAZY, a=FOUND.format(n=1))
    assert (lazy.work, lazy.Thing, lazy.named("Thing")) == (a.work, a.Thing, a.Thing)
    lazy.JOBS.append(a.work)
    again = "register the code anew after the upgrade, for example in a code_change"
    expected = {
        "lazy.work uses the replaced version of a until lazy is loaded again.",
        "lazy.Thing uses the replaced version of a until lazy is loaded again.",
        "lazy.named keeps the replaced version of a, and still uses it: after the upgrade, `hotdash purge NODE a` "
        "clears the cache.",
        f"lazy.JOBS keeps the replaced version of a, and still uses it: {again}.",
    }
    assert set(warnings(app, a=FOUND.format(n=2))) == expected
    app.load(a=FOUND.format(n=2))
    app.server.purge("a")
    assert set(warnings(app, a=FOUND.format(n=3))) == expected


def test_implementations_of_generic_functions_belong_to_the_version_that_registers_them(app: App) -> None:
    outside = """
        import functools
        class Thing: ...
        @functools.singledispatch
        def show(thing): return "any"
        class Shower:
            @functools.singledispatchmethod
            def show(self, thing): return "any"
    """
    a = """
        from outside import Shower, Thing, show
        class Own:
            n = {n}
        @show.register(Thing)
        def _(thing): return "thing {n}"
        @show.register(Own)
        def _(thing): return "own {n}"
        @Shower.show.register(Thing)
        def _(self, thing): return "method {n}"
    """
    (outside_module, a_module) = booted(app, outside=outside, a=a.format(n=1))

    def shown() -> list[str]:
        things = outside_module.Thing(), a_module.Own()
        return [*map(outside_module.show, things), outside_module.Shower().show(things[0])]

    first = a_module.Own
    assert warnings(app, a=a.format(n=2)) == ()
    assert shown() == ["thing 1", "own 1", "method 1"]
    batch = app.load(a=a.format(n=2))
    assert shown() == ["thing 2", "own 2", "method 2"]
    assert first not in outside_module.show.registry
    batch.revert()
    assert shown() == ["thing 1", "own 1", "method 1"]
    app.load(a="N = 1\n")
    assert outside_module.show(outside_module.Thing()) == "any"
