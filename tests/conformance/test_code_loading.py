"""OTP's code_SUITE as far as it applies: on_load, concurrent loading, paths, and modified modules.

docs/otp-differences.md lists the differences from OTP. The cases of purging are in test_code_purge.py.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from node_runtime.code import CodeError, LoadFailed
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App, Gate

pytest_plugins = ["tests.support.projects.code_shop"]

ON_LOAD = """
{new}
def version():
    return {n}
def __on_load__(old):
    if {n} == 2:
        raise RuntimeError("not this one")
"""


# ---------------------------------------------------------------- on_load_update


def test_on_load_update(app: App) -> None:
    """A version whose on_load fails leaves the old one in use, without the new functions; a third one replaces it."""
    app.boot(m=ON_LOAD.format(n=1, new=""))
    m = imported("m")
    with pytest.raises(LoadFailed, match="not this one"):
        app.prepare(m=ON_LOAD.format(n=2, new="def extra(): ..."))
    assert m.version() == 1
    assert not hasattr(m, "extra")
    assert app.server.versions("m")[1] is None
    app.load(m=ON_LOAD.format(n=3, new="def extra():\n    return 3"))
    assert (m.version(), m.extra()) == (3, 3)
    assert app.old("m").namespace["version"]() == 1


def test_on_load_errors(app: App) -> None:
    """A first load whose on_load fails leaves the module unloaded, and can be tried again."""
    app.boot(m=ON_LOAD.format(n=2, new=""))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not this one"):
            importlib.import_module("m")
    assert "m" not in sys.modules
    assert app.server.module_status("m") == "not_loaded"


# ---------------------------------------------------------------- on_load_pending, on_load_deadlock

WAITING = "import gate\nX = {n}\ndef __on_load__(old):\n    gate.wait()\n"


async def test_on_load_pending_of_a_first_load(app: App, gate: Gate) -> None:
    """An import of a module whose on_load runs waits for it, and gets the complete module."""
    app.boot(m=WAITING.format(n=1))
    loading = [asyncio.create_task(asyncio.to_thread(importlib.import_module, "m")) for _ in range(4)]
    await asyncio.to_thread(gate.reached.wait, 30)
    assert not any(task.done() for task in loading)
    gate.opened.set()
    modules = await asyncio.gather(*loading)
    assert all(module is modules[0] and module.X == 1 for module in modules)


async def test_on_load_pending_of_another_version(app: App, gate: Gate) -> None:
    """While the on_load of a new version runs, all callers use the current one, and another load waits."""
    app.boot(m="X = 1\n", other="X = 1\n")
    m = imported("m")
    other = imported("other")
    first = asyncio.create_task(asyncio.to_thread(lambda: app.prepare(m=WAITING.format(n=2))))
    await asyncio.to_thread(gate.reached.wait, 30)
    assert (m.X, importlib.import_module("m").X) == (1, 1)
    second = asyncio.create_task(asyncio.to_thread(lambda: app.prepare(other="X = 2\n")))
    gate.opened.set()
    (await first).commit()
    try:
        batch = await second
    except CodeError:  # it had begun before the commit
        batch = app.prepare(other="X = 2\n")
    batch.commit()
    assert (m.X, other.X) == (2, 2)


def test_on_load_deadlock(app: App) -> None:
    """Loading code from an on_load fails at once instead of in a deadlock."""
    app.boot(m="", other="X = 1\n")
    imported("m")
    loading = "from node_runtime.code import current\ndef __on_load__(old):\n    current().prepare([])\n"
    with pytest.raises(LoadFailed, match="A module's body can't prepare modules"):
        app.prepare(m=loading)
    app.load(m="def __on_load__(old):\n    import other, m\n    assert m.X == other.X\nX = 1\n")
    assert sys.modules["other"].X == 1


# ---------------------------------------------------------------- ensure_loaded_many_kill


def test_ensure_loaded_many_at_once_loads_once(app: App) -> None:
    """The body runs once for any number of concurrent imports."""
    app.boot(m="import counter\ncounter.RUNS.append(1)\n", counter="RUNS = []\n")
    counter = imported("counter")
    start = threading.Barrier(8)
    found = []

    def load() -> None:
        start.wait()
        found.append(importlib.import_module("m"))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.RUNS == [1]
    assert found == [sys.modules["m"]] * 8


async def test_ensure_loaded_many_kill(app: App, gate: Gate) -> None:
    """If the loading process is killed, the next waiting one takes over."""
    body = "import gate, counter\ncounter.RUNS.append(1)\ngate.wait()\nif len(counter.RUNS) == 1:\n    1 / 0\n"
    app.boot(m=body, counter="RUNS = []\n")
    counter = imported("counter")
    loading = [asyncio.create_task(asyncio.to_thread(importlib.import_module, "m")) for _ in range(4)]
    await asyncio.to_thread(gate.reached.wait, 30)
    gate.opened.set()
    outcomes = await asyncio.gather(*loading, return_exceptions=True)
    assert sum(isinstance(outcome, ZeroDivisionError) for outcome in outcomes) == 1
    assert sum(outcome is sys.modules["m"] for outcome in outcomes) == 3
    assert counter.RUNS == [1, 1]


# ---------------------------------------------------------------- replace_path


def test_replace_path(app: App) -> None:
    """After an application moved, loaded modules stay, others come from the new directory, unlisted ones are gone."""
    app.boot(loaded="X = 1\n", later="X = 1\n", dropped="X = 1\n")
    loaded = imported("loaded")
    app.boot(loaded="X = 2\n", later="X = 2\n")
    later = imported("later")
    assert (loaded.X, later.X) == (1, 2)
    assert app.server.module_status("loaded") == "modified"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("dropped")


def test_a_deleted_module_is_loaded_again_from_the_new_path(app: App) -> None:
    """After a delete only the next import loads the module again, from the application's current directory."""
    app.boot(m="X = 1\n")
    m = imported("m")
    app.boot(m="X = 2\n")
    app.server.delete("m")
    assert not hasattr(m, "X")
    app.boot(m="X = 2\n")
    assert importlib.import_module("m").X == m.X == 2


def test_another_directory_of_the_same_release_is_no_sticky_one(app: App) -> None:
    """A node has no sticky directories: the library itself can't be loaded at all."""
    with pytest.raises(CodeError, match="before the code server managed it"):
        app.prepare(msgspec="X = 1\n")


# ---------------------------------------------------------------- module_status


def test_module_status(app: App) -> None:
    """not_loaded, loaded, modified, loaded after another load, removed; modified_modules has those that differ."""
    app.boot(m="X = 1\n")
    status = app.server.module_status
    assert status("m") == "not_loaded"
    imported("m")
    assert status("m") == "loaded"
    file = app.directory / "shop-1.0" / "src" / "m.py"
    file.write_text("X = 2\n")
    assert (status("m"), [drift.module for drift in app.server.modified()]) == ("modified", ["m"])
    file.write_text("X = 1\n")
    assert (status("m"), app.server.modified()) == ("loaded", [])
    file.unlink()
    assert status("m") == "removed"
    app.server.delete("m")
    assert status("m") == "not_loaded"
