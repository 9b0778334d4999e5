"""Effects of a module that a load cannot repeat or undo are found when it is prepared, and named."""

from __future__ import annotations

import importlib.machinery
import signal
import sys
import types
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime.code import CodeError, Source

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


def booted(app: App, **modules: str) -> list[Any]:
    """Boot modules and import them."""
    app.boot(**modules)
    return [__import__(name) for name in modules]


def warnings(app: App, **modules: str) -> tuple[str, ...]:
    """The warnings of a batch, which is discarded."""
    batch = app.prepare(**modules)
    found = batch.warnings()
    batch.discard()
    return found


def test_an_ordinary_load_has_no_warnings(app: App) -> None:
    body = """
        import abc, enum, functools, logging
        from dataclasses import dataclass
        from node_runtime import GenServer
        log = logging.getLogger(__name__)
        N = {n}
        class Base(abc.ABC):
            @abc.abstractmethod
            def f(self): ...
        class Colour(enum.Enum):
            RED = {n}
        @dataclass
        class State:
            x: int = {n}
        class Server(GenServer[State]):
            pass
        @functools.singledispatch
        def show(thing): ...
        @show.register
        def _(thing: State): ...
        def bump():
            global N
            N += 1
    """
    (a,) = booted(app, a=body.format(n=1))
    a.bump()
    batch = app.prepare(a=body.format(n=2))
    assert batch.warnings() == ()
    assert batch.dependents() == ()
    batch.commit()


# ---------------------------------------------------------------- what can't be loaded at all


def test_the_main_program_is_refused(app: App, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="__main__ is the program that was started: restart the node"):
        app.server.prepare([Source("__main__", str(tmp_path / "x.py"), "shop", "2.0")])


def test_a_c_extension_is_refused(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(tmp_path / f"fast{importlib.machinery.EXTENSION_SUFFIXES[0]}")
    with pytest.raises(CodeError, match="fast is a C extension, and a process can load only one version"):
        app.server.prepare([Source("fast", file, "shop", "2.0")])
    loaded = types.ModuleType("fast")
    loaded.__file__ = file
    monkeypatch.setitem(sys.modules, "fast", loaded)
    with pytest.raises(CodeError, match="fast is a C extension"):
        app.server.prepare([Source("fast", str(tmp_path / "fast.py"), "shop", "2.0")])


def test_a_third_party_module_is_refused_and_its_file_named(app: App, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match=r"msgspec was imported from .*msgspec/__init__.py before"):
        app.server.prepare([Source("msgspec", str(tmp_path / "msgspec.py"), "shop", "2.0")])


# ---------------------------------------------------------------- warnings


def test_classes_that_register_with_a_base_or_a_metaclass_are_named(app: App) -> None:
    outside = """
        KNOWN = []
        class Base:
            def __init_subclass__(cls):
                KNOWN.append(cls)
        class Meta(type):
            def __init__(cls, *args):
                KNOWN.append(cls)
    """
    body = "from outside import Base, Meta\nclass A(Base): ...\nclass B(metaclass=Meta): ...\nX = {n}\n"
    booted(app, outside=outside, a=body.format(n=1))
    assert warnings(app, a=body.format(n=2)) == (
        "The definition of a:A calls outside:Base: if this code adds each class to a container, the container "
        "then has both the old and the new class. To avoid that, list the container in `__registries__` of outside.",
        "The definition of a:B calls outside:Meta: if this code adds each class to a container, the container "
        "then has both the old and the new class. To avoid that, list the container in `__registries__` of outside.",
    )
    assert warnings(app, a=body.format(n=2), outside=outside) == ()


def test_registrations_with_generic_functions_are_named(app: App) -> None:
    outside = """
        import functools
        @functools.singledispatch
        def show(thing): ...
        X = {n}
    """
    a = """
        import outside
        class Thing:
            x = {n}
        class Own:
            x = {n}
        N = {n}
        @outside.show.register
        def show_own(thing: Own): ...
    """
    registering = "import a, outside\n@outside.show.register\ndef show_thing(thing: a.Thing): ...\n"
    booted(app, outside=outside.format(n=1), a=a.format(n=1), registering=registering)
    assert warnings(app, a=a.format(n=2)) == (
        "outside.show has an implementation for the old class a:Thing, but not for the new class: "
        "let the appup load registering too.",
    )
    assert set(warnings(app, outside=outside.format(n=2))) == {
        "The load recreates the generic function outside.show without the implementation that "
        "a has registered: load a too.",
        "The load recreates the generic function outside.show without the implementation that "
        "registering has registered: load registering too.",
    }


def test_implementations_of_generic_methods_that_the_load_drops_are_named(app: App) -> None:
    shown = """
        import functools
        class Show:
            @functools.singledispatchmethod
            def on(self, thing): return {n}
            @on.register
            def on_int(self, thing: int): ...
    """
    registering = "import shown\n@shown.Show.on.register\ndef on_text(self, thing: str): ...\n"
    booted(app, shown=shown.format(n=1), registering=registering)
    assert warnings(app, shown=shown.format(n=2)) == (
        "The load recreates the generic function shown.Show.on without the implementation that "
        "registering has registered: load registering too.",
    )


def test_a_class_registered_with_an_abc_is_named_if_the_new_one_is_not_registered(app: App) -> None:
    (_, a, _) = booted(
        app,
        outside="import abc\nclass Reader(abc.ABC): ...\nclass Writer(abc.ABC): ...\n",
        a="import outside\nclass File: ...\noutside.Writer.register(File)\n",
        registering="import a, outside\noutside.Reader.register(a.File)\n",
    )
    assert warnings(app, a="import outside\nclass File:\n    x = 2\noutside.Writer.register(File)\n") == (
        "The old class a:File is registered with outside:Reader, but the new class isn't.",
    )
    assert issubclass(a.File, sys.modules["outside"].Reader)


def test_a_signal_handler_that_no_body_has_set_is_named(app: App) -> None:
    (a,) = booted(app, a="def handler(*_): ...\n")
    before = signal.signal(signal.SIGUSR2, a.handler)
    try:
        assert warnings(app, a="N = 1") == (
            "The handler of SIGUSR2 is still a function of the replaced version of a: set it again after the upgrade, "
            "or let the body of a set it, so that a load replaces it.",
        )
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_finalizer_of_an_object_is_named(app: App) -> None:
    (a,) = booted(app, a="def close(): ...\n")
    kept = {1}
    end = weakref.finalize(kept, a.close)
    try:
        assert warnings(app, a="N = 1") == (
            "The finalizer of a set is still a function of the replaced version of a: after the upgrade, call its "
            "`detach` and make a new finalizer, or give `weakref.finalize` a function of a module that does not "
            "change.",
        )
    finally:
        end.detach()


def test_attributes_patched_from_outside_are_named(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "def f(): ...\ndef g(): ...\nclass C: ...\nX = {n}\ndef twice(): ...\ndef twice(): ...\n"
    (a, b) = booted(app, a=body.format(n=1), b="def hold(): ...\n")
    monkeypatch.setattr(a, "f", lambda: "patched")
    monkeypatch.setattr(a, "extra", 1, raising=False)
    monkeypatch.setattr(a, "X", 7)
    monkeypatch.setattr(b, "hold", a.g)
    assert warnings(app, a=body.format(n=2)) == (
        "a.f was replaced by other code; the new version does not have the replacement.",
        "a.extra was set by other code; the new version does not have it.",
        "b.hold uses the replaced version of a until b is loaded again.",
    )


def test_objects_that_a_decorator_made_elsewhere_are_named(app: App) -> None:
    decorators = "def logged(f):\n    def wrapper():\n        return {n}\n    return wrapper\n"
    booted(
        app,
        decorators=decorators.format(n=1),
        a="from decorators import logged\nlogging = logged\n@logged\ndef f(): ...\n",
    )
    assert warnings(app, decorators=decorators.format(n=2)) == (
        "a.logging uses the replaced version of decorators until a is loaded again.",
        "a.f uses the replaced version of decorators until a is loaded again.",
    )


def test_methods_that_a_replaced_decorator_has_wrapped_are_named(app: App) -> None:
    decorators = "def stamped(f):\n    def wrapper(self):\n        return {n}\n    return wrapper\n"
    booted(
        app,
        decorators=decorators.format(n=1),
        a="""
from decorators import stamped
from functools import cached_property
class A:
    @stamped
    def plain(self): ...
    static = staticmethod(stamped(print))
    read = property(stamped(print))
    cached = cached_property(stamped(print))
    def own(self): ...
""",
    )
    found = warnings(app, decorators=decorators.format(n=2))
    assert found == tuple(
        f"a.A.{name} uses the replaced version of decorators until a is loaded again."
        for name in ("plain", "static", "read", "cached")
    )


def test_carried_objects_that_keep_the_old_version_are_named(app: App) -> None:
    body = """
        __carry__ = ["cache", "hook", "plain"]
        class Cache:
            x = {n}
        cache = Cache()
        def hook(): ...
        plain = []
        X = {n}
    """
    booted(app, a=body.format(n=1))
    assert warnings(app, a=body.format(n=2)) == ("`__carry__` keeps a.hook, which keeps a replaced version in memory.",)


# ---------------------------------------------------------------- dependents


def test_classes_outside_the_batch_that_derive_from_a_replaced_class_are_listed(app: App) -> None:
    models = """
        from dataclasses import dataclass
        class Base:
            x = {n}
        @dataclass
        class State:
            x: int = {n}
        @dataclass
        class Same:
            x: int = 1
        class Error(Exception): ...
    """
    booted(
        app,
        models=models.format(n=1),
        based="""
            from models import Base, Error
            class Mine(Base): ...
            class Further(Mine): ...
            class Failed(Error): ...
        """,
        stateful="import models\nfrom node_runtime import GenServer\nclass Server(GenServer[models.State]): ...\n",
        annotated="""
            from __future__ import annotations
            import models
            from attrs import define
            @define
            class Order:
                states: list[models.State]
                other: dict[str, models.Same] | None = None
        """,
        evaluated="""
            from models import State
            from typing import Optional
            class Described:
                def __init_subclass__(cls):
                    cls.types = [*cls.__annotations__]
            class Order(Described):
                state: Optional[list[State]] = None
        """,
        plain="""
            from models import State
            from dataclasses import dataclass
            @dataclass
            class Order:
                state: State | None = None
        """,
        harmless="from models import State\ndef f(state: State) -> State:\n    return State()\nHELD = State()\n",
    )
    batch = app.prepare(models=models.format(n=2))
    assert sorted(map(str, batch.dependents())) == [
        "annotated:Order has a field of type models:State",
        "based:Further is based on models:Base",
        "based:Mine is based on models:Base",
        "evaluated:Order has a field of type models:State",
        "stateful:Server has a state of type models:State",
    ]
    batch.discard()
    together = app.prepare(
        models=models.format(n=2), **dict.fromkeys(("based", "stateful"), "X = 2\n"), deleted=("evaluated",)
    )
    assert [dependent.module for dependent in together.dependents()] == ["annotated"]


# ---------------------------------------------------------------- registries

REGISTRY = """
    import collections, functools
    N = {n}
    COMMANDS = {{}}
    HOOKS = collections.defaultdict(list)
    def command(f):
        COMMANDS[f.__name__] = f
        return f
    class App:
        KNOWN = []
        def __init__(self):
            self.routes = []
        def route(self, path):
            def register(f):
                self.routes.append((path, functools.partial(f)))
                return f
            return register
        @classmethod
        def known(cls, thing):
            cls.KNOWN.append(thing)
            return thing
    app = App()
"""
WRAPPING = """
    import registry
    N = {n}
    @registry.wrapped
    def run(): ...
"""
REGISTERING = """
    import registry
    N = {n}
    @registry.command
    def run(): ...
    @registry.app.route("/")
    def page(): ...
    @registry.App.known
    class Thing: ...
    class Listener:
        x = {n}
        def heard(self): ...
    registry.HOOKS["start"].append(Listener().heard)
"""


def test_a_module_that_lists_subclasses_is_named(app: App) -> None:
    base = "class Base: ...\ndef found():\n    return [one.__name__ for one in Base.__subclasses__()]\n"
    plugin = "import base\nclass Plugin(base.Base):\n    N = {n}\n"
    booted(app, base=base, a=plugin.format(n=1), b="class Other(ValueError): ...\n")
    assert warnings(app, a=plugin.format(n=2)) == (
        "base calls __subclasses__, which also returns the old class a:Plugin while it exists.",
    )
    assert warnings(app, b="class Other(ValueError):\n    N = 2\n") == ()


DECLARE = "let `__registries__` of registry list the container"


def test_a_registry_of_the_wrappers_that_a_decorator_makes_is_named(app: App) -> None:
    registry = """
        TASKS = []
        def wrapped(f):
            def wrapper():
                return f()
            TASKS.append(wrapper)
            return wrapper
    """
    booted(app, registry=registry, a=WRAPPING.format(n=1))
    assert warnings(app, a=WRAPPING.format(n=2)) == (
        f"The body of a registers code in registry.TASKS; a revert does not undo this: {DECLARE}.",
        f"registry.TASKS keeps the replaced version of a, and still uses it: {DECLARE}.",
    )
    declared = registry + "\n        __registries__ = ['TASKS']\n"
    app.load(registry=declared, a=WRAPPING.format(n=2))
    assert warnings(app, a=WRAPPING.format(n=3)) == ()


def test_a_registry_of_weak_references_to_listeners_is_named(app: App) -> None:
    registry = "import weakref\nHEARS = []\nclass Bus:\n    def __init__(self): self.hears = []\nbus = Bus()"
    listening = """
        import registry, weakref
        def hear(): return {n}
        class View:
            def redraw(self): return {n}
        VIEW = View()
        registry.HEARS.append(weakref.ref(hear))
        registry.bus.hears.append(weakref.WeakMethod(VIEW.redraw))
    """
    booted(app, registry=registry, a=listening.format(n=1))
    named = [one for one in warnings(app, a=listening.format(n=2)) if "registers" in one]
    assert [one.partition(";")[0] for one in named] == [
        "The body of a registers code in registry.HEARS",
        "The body of a registers code in registry.bus",
    ]


def test_registries_that_decorators_fill_are_named(app: App) -> None:
    booted(app, registry=REGISTRY.format(n=1), a=REGISTERING.format(n=1), b="import registry\nX = [registry.app]\n")
    assert warnings(app, a=REGISTERING.format(n=2)) == (
        f"The body of a registers code in registry.COMMANDS; a revert does not undo this: {DECLARE}.",
        f"The body of a registers code in registry.HOOKS; a revert does not undo this: {DECLARE}.",
        f"registry.HOOKS keeps the replaced version of a, and still uses it: {DECLARE}.",
        f"The body of a registers code in registry.App.KNOWN; a revert does not undo this: {DECLARE}.",
        f"registry.App.KNOWN keeps the replaced version of a, and still uses it: {DECLARE}.",
        f"The body of a registers code in registry.app; a revert does not undo this: {DECLARE}.",
        f"registry.app keeps the replaced version of a, and still uses it: {DECLARE}.",
    )


def test_registries_that_are_recreated_without_the_registering_modules_are_named(app: App) -> None:
    registry = REGISTRY + "\n    import b\n    TABLE = {{'f': b.f}}\n    @command\n    def own(): ...\n"
    booted(app, b="def f(): ...\n", registry=registry.format(n=1), a=REGISTERING.format(n=1))
    assert warnings(app, registry=registry.format(n=2)) == (
        "The load makes registry.COMMANDS anew, without the code that a has registered there: load a too.",
        "The load makes registry.HOOKS anew, without the code that a has registered there: load a too.",
        "The load makes registry.App.KNOWN anew, without the code that a has registered there: load a too.",
        "The load makes registry.app anew, without the code that a has registered there: load a too.",
    )
    carrying = f"\n    __carry__ = ['COMMANDS', 'HOOKS', 'app', 'App']{registry}"
    assert warnings(app, registry=carrying.format(n=3)) == (
        "`__carry__` keeps registry.app, which keeps a replaced version in memory.",
        "`__carry__` keeps registry.App, which keeps a replaced version in memory.",
    )


def test_a_registry_and_the_registering_modules_are_loaded_together_without_a_warning(app: App) -> None:
    booted(app, registry=REGISTRY.format(n=1), a=REGISTERING.format(n=1))
    both = {"registry": REGISTRY.format(n=2), "a": REGISTERING.format(n=2)}
    assert warnings(app, **both) == ()
