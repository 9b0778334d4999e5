"""Registrations of bodies with the interpreter are there while their version is current, and at no other time."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import logging
import mimetypes
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from node_runtime.code import LoadFailed

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

HANDLER = """
    import logging
    log = logging.getLogger("registrations.audit")
    handler = logging.NullHandler()
    handler.set_name({n!r})
    {guard}log.addHandler(handler)
    log.propagate = False
"""


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """The interpreter's registries are as before after each test."""
    path, meta_path, filters, modules = [*sys.path], [*sys.meta_path], [*warnings.filters], {*sys.modules}
    handler, hook = signal.getsignal(signal.SIGUSR2), sys.excepthook
    yield
    sys.path[:], sys.meta_path[:], sys.excepthook = path, meta_path, hook
    warnings.filters[:] = filters  # type: ignore[index]
    signal.signal(signal.SIGUSR2, handler)
    logging.getLogger("registrations.audit").handlers.clear()
    for name in {*sys.modules} - modules:
        del sys.modules[name]


def handlers() -> list[str | None]:
    listed = logging.getLogger("registrations.audit").handlers
    return [each.get_name() for each in listed if type(each) is logging.NullHandler]  # but for those of pytest


@pytest.mark.parametrize("guard", ["", "if not log.handlers: "])
def test_a_log_handler_belongs_to_the_current_version(app: App, guard: str) -> None:
    app.boot(m=HANDLER.format(n="a", guard=guard))
    __import__("m")
    assert handlers() == ["a"]
    app.prepare(m=HANDLER.format(n="b", guard=guard)).discard()
    assert handlers() == ["a"], "a batch that is not committed changes nothing"
    batch = app.prepare(m=HANDLER.format(n="c", guard=guard))
    assert handlers() == ["a"], "nor does one before its commit"
    batch.commit()
    assert handlers() == ["c"]
    batch.revert()
    assert handlers() == ["a"]
    app.load(m="N = 1")
    assert handlers() == []
    assert logging.getLogger("registrations.audit").propagate


def test_a_body_that_fails_leaves_no_registration(app: App) -> None:
    app.boot(m=HANDLER.format(n="a", guard=""))
    __import__("m")
    with pytest.raises(LoadFailed):
        app.prepare(m=HANDLER.format(n="b", guard="") + "    1 / 0\n")
    assert handlers() == ["a"]


def test_the_order_of_handlers_is_kept(app: App) -> None:
    log = logging.getLogger("registrations.audit")
    app.boot(m=HANDLER.format(n="a", guard=""))
    __import__("m")
    log.addHandler(logging.NullHandler())
    batch = app.load(m=HANDLER.format(n="b", guard=""))
    batch.revert()
    assert handlers() == ["a", None]


INTERPRETER = """
    import atexit, codecs, logging, mimetypes, shutil, signal, sys, warnings, xml.etree.ElementTree
    class Finder:
        n = "registrations"
        @staticmethod
        def find_spec(name, path=None, target=None): return None
    def search(name): return codecs.lookup("utf-8") if name == "registrations_{n}" else None
    def hook(*error): pass
    hook.n = {n!r}
    sys.path.insert(0, "/registrations/{n}")
    sys.meta_path.append(Finder)
    warnings.filterwarnings("ignore", message="registrations {n}")
    sys.modules["registrations_alias"] = hook
    sys.excepthook = hook
    signal.signal(signal.SIGUSR2, hook)
    codecs.register(search)
    codecs.register_error("registrations", lambda error: ({n!r}, error.end))
    logging.addLevelName(33, "registrations {n}")
    shutil.register_archive_format("registrations", hook, description={n!r})
    xml.etree.ElementTree.register_namespace("reg{n}", "urn:registrations")
    mimetypes.add_type("text/x-{n}", ".registrations")
    mimetypes.add_type("text/x-{n}", ".html")
    atexit.register(hook)
"""


def interpreter() -> dict[str, Any]:
    """What the interpreter's registries have of a version, by its name."""
    found: dict[str, Any] = {
        "path": [each[-1] for each in sys.path if each.startswith("/registrations/")],
        "finders": [getattr(each, "n", None) for each in sys.meta_path].count("registrations"),
        "filters": [each[1].pattern[-1] for each in warnings.filters if each[1] and "registr" in each[1].pattern],
        "modules": getattr(sys.modules.get("registrations_alias"), "n", None),
        "excepthook": getattr(sys.excepthook, "n", None),
        "signal": getattr(signal.getsignal(signal.SIGUSR2), "n", None),
        "codecs": [],
    }
    for name in "abc":
        with contextlib.suppress(LookupError):
            codecs.lookup(f"registrations_{name}")
            found["codecs"].append(name)
    with contextlib.suppress(LookupError):
        found["codec error"] = "é".encode("ascii", "registrations").decode()
    found["level"] = logging.getLevelName(33)[-1]
    found["archive"] = dict(shutil.get_archive_formats()).get("registrations")
    found["mime types"] = [mimetypes.guess_type(f"x.{end}")[0] for end in ("registrations", "html")]
    found["extensions"] = [sorted(mimetypes.guess_all_extensions(f"text/x-{name}")) for name in "abc"]
    found["prefix"] = ElementTree.tostring(ElementTree.Element("{urn:registrations}x")).decode()[:5][-1]
    return found


def shown(name: str) -> dict[str, Any]:
    return {
        "path": [name], "finders": 1, "filters": [name], "modules": name, "excepthook": name, "signal": name,
        "codecs": [name], "codec error": name, "level": name, "archive": name, "prefix": name,
        "mime types": [f"text/x-{name}"] * 2,
        "extensions": [[".html", ".registrations"] if each == name else [] for each in "abc"],
    }  # fmt: skip


def test_registries_of_the_interpreter_have_what_the_current_version_registers(app: App) -> None:
    app.boot(m=INTERPRETER.format(n="a"))
    __import__("m")
    assert interpreter() == shown("a")
    app.prepare(m=INTERPRETER.format(n="b")).discard()
    assert interpreter() == shown("a")
    batch = app.load(m=INTERPRETER.format(n="c"))
    assert interpreter() == shown("c")
    batch.revert()
    assert interpreter() == shown("a")
    gone = app.load(m="N = 1")
    nothing: dict[str, Any] = {**dict.fromkeys(shown("a")), "path": [], "finders": 0, "filters": [], "codecs": []}
    del nothing["codec error"]
    types = {"mime types": [None, "text/html"], "extensions": [[]] * 3}
    assert interpreter() == nothing | types | {"level": "3", "prefix": ":"}
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    gone.revert()
    assert interpreter() == shown("a")


EXITS = """
    import atexit
    from pathlib import Path
    @atexit.register
    def write():
        with Path({path!r}).open("a") as file: file.write({n!r})
"""


def test_exit_functions_of_the_current_version_are_called(app: App, tmp_path: Any) -> None:
    written = tmp_path / "exits"
    app.boot(m=EXITS.format(n="a", path=str(written)))
    module: Any = __import__("m")
    app.prepare(m=EXITS.format(n="b", path=str(written))).discard()
    app.load(m=EXITS.format(n="c", path=str(written)))
    _run_exit_functions(lambda: None)
    assert written.read_text() == "c"
    atexit.unregister(module.write)


def _run_exit_functions(meanwhile: Callable[[], None]) -> None:
    from node_runtime.code.registrations.late_functions import exit_functions

    for each in exit_functions:
        each.call()


def test_what_a_library_registers_at_its_first_import_stays(app: App, tmp_path: Any) -> None:
    (tmp_path / "registering_library.py").write_text(
        "import logging\nlogging.getLogger('registrations.audit').addHandler(logging.NullHandler())\n"
    )
    sys.path.append(str(tmp_path))
    app.boot(m="import registering_library\n" + HANDLER.replace("\n    ", "\n").format(n="a", guard=""))
    __import__("m")
    assert handlers() == [None, "a"]
    app.load(m="import registering_library")
    assert handlers() == [None]


REGISTRY = """
    COMMANDS, NAMES, SEEN = {}, [], set()
    __registries__ = ["COMMANDS", "NAMES", "SEEN"]
    def command(function):
        COMMANDS[function.__name__] = function
        NAMES.append(function.__qualname__)
        SEEN.add(function)
        return function
"""


def test_a_module_declares_its_registries(app: App) -> None:
    app.boot(
        registry=REGISTRY,
        m="from registry import command\n@command\ndef hello(): return 'a'\n@command\ndef gone(): ...",
    )
    registry: Any = __import__("registry")
    __import__("m")
    batch = app.prepare(m="from registry import command\n@command\ndef hello(): return 'b'\n@command\ndef new(): ...")
    assert batch.warnings() == ()
    batch.commit()
    assert {name: each() for name, each in registry.COMMANDS.items()} == {"hello": "b", "new": None}
    assert registry.NAMES == ["hello", "new"]
    assert {*registry.COMMANDS.values()} == registry.SEEN
    batch.revert()
    assert sorted(registry.COMMANDS) == ["gone", "hello"]
    assert registry.COMMANDS["hello"]() == "a"
    assert registry.NAMES == ["hello", "gone"]
    assert app.server.soft_purge("m")


OWN_ENTRY = REGISTRY.rstrip() + "\n    @command\n    def usage(): return 'usage'\n"
PLUGIN = "from registry import command\n@command\ndef hello(): return '{n}'"


def answers(registry: Any) -> dict[str, str]:
    return {name: each() for name, each in registry.COMMANDS.items()}


def test_what_a_module_registers_in_its_own_registry_is_not_that_of_the_module_that_imports_it_first(app: App) -> None:
    app.boot(registry=OWN_ENTRY, m=PLUGIN.format(n="a"))
    __import__("m")
    app.load(m=PLUGIN.format(n="b"))
    registry: Any = __import__("registry")
    assert answers(registry) == {"usage": "usage", "hello": "b"}
    assert registry.NAMES == ["usage", "hello"]


def test_a_registry_that_is_loaded_together_with_its_users_knows_their_registrations(app: App) -> None:
    app.boot(registry=OWN_ENTRY, m=PLUGIN.format(n="a"))
    __import__("m")
    batch = app.prepare(registry=OWN_ENTRY + "    N = 2\n", m=PLUGIN.format(n="b"))
    assert [*batch.namespace("registry")["COMMANDS"]] == ["usage", "hello"], "it is not taken for lost data"
    batch.commit()
    registry: Any = __import__("registry")
    assert answers(registry) == {"usage": "usage", "hello": "b"}
    app.load(m=PLUGIN.format(n="c"))
    assert answers(registry) == {"usage": "usage", "hello": "c"}
    assert registry.NAMES == ["usage", "hello"]


def test_a_wrong_declaration_of_registries_is_refused(app: App) -> None:
    app.boot(m="N = 1")
    __import__("m")
    with pytest.raises(LoadFailed, match="not a list, a set or a dict"):
        app.prepare(m="N = 1\n__registries__ = ['N']")
    with pytest.raises(LoadFailed, match="must be a list of names"):
        app.prepare(m="__registries__ = 1")


def test_registrations_do_not_hold_the_old_version(app: App) -> None:
    body = HANDLER.format(n="a", guard="") + "    class Own(logging.Handler): ...\n    log.addHandler(Own())\n"
    app.boot(m=body)
    __import__("m")
    for number in range(4):
        app.load(m=body + f"    N = {number}\n")
    assert handlers() == ["a"]
    assert sum(type(each).__name__ == "Own" for each in logging.getLogger("registrations.audit").handlers) == 1
