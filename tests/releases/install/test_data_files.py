"""Code finds the data files of the release that is current, and a plan names what does not follow it."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Commit, PlannedFile

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

READER = """
    from pathlib import Path
    from node_runtime import GenServer, gen_server

    HERE = Path(__file__).parent

    async def start_link():
        return await gen_server.start_link(Reader, name="reader")

    class Reader(GenServer):
        def init(self):
            return {"folder": str(HERE)}
"""
NOTHING = """
    [[up]]
    from = "@"
    instructions = []
    [[down]]
    to = "@"
    instructions = []
"""
LOAD = """
    [[up]]
    from = "1"
    instructions = [{ add_module = "shop.late" }]
    [[down]]
    to = "1"
    instructions = [{ delete_module = "shop.late" }]
"""
LATE = """
    import asyncio, importlib.resources, pkgutil
    import shop.reader
    from node_runtime.application import priv_dir

    READ = (
        importlib.resources.files("shop").joinpath("data/note.txt").read_text(),
        pkgutil.get_data("shop.reader", "data/note.txt").decode(),
        (priv_dir("shop") / "note.txt").read_text(),
    )

    async def fail():
        await asyncio.sleep(0)  # a rehearsal ends here
        raise RuntimeError("this release fails")
"""
FAIL = LOAD.replace('"shop.late" }]\n    [[down]]', '"shop.late" }, { apply = "shop.late:fail" }]\n    [[down]]')


APP = """
    from node_runtime import Application
    from shop import reader

    class Shop(Application):
        async def start(self, start_type, args):
            return await reader.start_link()
"""


def write(small: SmallNode, vsn: str, appup: str = "", mod: str | None = None, **modules: str) -> None:
    """Write a release whose data files have its version as text."""
    for path in ("src/shop/data/note.txt", "priv/note.txt"):
        file = small.root / f"lib/shop-{vsn}" / path
        file.parent.mkdir(parents=True)
        file.write_text(vsn)
    added = {f"shop.{name}": text for name, text in modules.items()}
    small.write(vsn, {"shop.reader": READER, **added}, appup, mod=mod)


def found() -> dict[str, str]:
    """What each way to a data file leads to."""
    reader: Any = importlib.import_module("shop.reader")
    package: Any = importlib.import_module("shop")
    return {
        "__file__": (Path(reader.__file__).parent / "data/note.txt").read_text(),
        "__path__": Path(package.__path__[0], "data/note.txt").read_text(),
        "spec": Path(reader.__spec__.origin).with_name("data").joinpath("note.txt").read_text(),
        "resources": importlib.resources.files("shop").joinpath("data/note.txt").read_text(),
        "folder": importlib.resources.files("shop.data").joinpath("note.txt").read_text(),
        "pkgutil": (pkgutil.get_data("shop.reader", "data/note.txt") or b"").decode(),
        "loader": reader.__loader__.get_data(str(Path(reader.__file__).parent / "data/note.txt")).decode(),
        "priv_dir": (application.priv_dir("shop") / "note.txt").read_text(),
    }


def only(vsn: str) -> dict[str, str]:
    return dict.fromkeys(("__file__", "__path__", "spec", "resources", "folder", "pkgutil", "loader", "priv_dir"), vsn)


async def test_modules_that_stay_loaded_find_the_files_of_the_current_release(small: SmallNode) -> None:
    write(small, "1")
    write(small, "2", NOTHING.replace("@", "1"))
    write(small, "3", NOTHING.replace("@", "2"))
    handler = small.boot()
    reader = importlib.import_module("shop.reader")
    await reader.start_link()
    assert found() == only("1")

    plan = await handler.plan("2")
    assert plan.files == (
        PlannedFile(application="shop", path="priv/note.txt", change="changed"),
        PlannedFile(application="shop", path="src/shop/data/note.txt", change="changed"),
    )
    first, second = sorted(warning for warning in plan.warnings if " is a path of shop 1, " in warning)
    assert first.startswith("In reader, state.folder is a path")
    assert second.startswith("shop.reader.HERE is a path")

    assert (await small.install("2")).outcome == "installed"
    assert found() == only("2")
    assert "def init" in inspect.getsource(reader.Reader)
    assert (await small.roll_back()).outcome == "reverted"
    assert found() == only("1")
    await small.install("2")
    later = await handler.plan("3")
    assert sorted(warning for warning in later.warnings if " is a path of " in warning) == [
        warning.replace("release 2", "release 3") for warning in (first, second)
    ], "a path of a release before the running one is named, too"
    await small.install("3")
    assert found() == only("3")


async def test_a_plan_says_what_it_leaves_out_of_the_data_files_and_of_the_paths(small: SmallNode) -> None:
    for number in range(101):
        file = small.root / f"lib/shop-2/priv/{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    many = READER.replace('{"folder": str(HERE)}', '{"members": list(range(1001))}')
    small.write("1", {"shop.reader": many})
    small.write("2", {"shop.reader": many}, NOTHING.replace("@", "1"))
    handler = small.boot()
    reader = importlib.import_module("shop.reader")
    await reader.start_link()

    plan = await handler.plan("2")
    assert len(plan.files) == 100
    assert "101 data files of the applications change; only 100 of them are listed." in plan.warnings
    assert "The state of reader: only the first 1,000 values were searched for paths of old files." in plan.warnings


async def test_what_loaded_code_can_read_stays_after_its_release_was_removed(small: SmallNode) -> None:
    write(small, "1")
    write(small, "2", NOTHING.replace("@", "1"))
    handler = small.boot()
    reader = importlib.import_module("shop.reader")
    await small.install("2")
    await handler.commit(Commit(), "ann")
    await handler.remove("1")
    assert [release.vsn for release in handler.releases()] == ["2"]
    assert not (small.root / "releases/1").exists()
    assert (reader.HERE / "data/note.txt").read_text() == "1"
    await small.reboot()
    assert not (small.root / "lib/shop-1").exists()


async def test_new_modules_read_the_files_of_their_release_and_a_failed_install_puts_the_files_back(
    small: SmallNode,
) -> None:
    write(small, "1")
    write(small, "2", LOAD, late=LATE)
    write(small, "3", FAIL, late=LATE)
    small.boot()
    importlib.import_module("shop.reader")
    assert (await small.install("3")).outcome == "put back"
    assert found() == only("1")
    assert (await small.install("2")).outcome == "installed"
    assert importlib.import_module("shop.late").READ == ("2", "2", "2")


async def test_priv_dir_names_an_application_without_a_folder(small: SmallNode) -> None:
    write(small, "1")
    small.boot()
    application.load(application.AppSpec("annex", "1"))
    with pytest.raises(Refused, match="application 'annex' has no folder priv/, because it is in no release"):
        application.priv_dir("annex")
    with pytest.raises(Refused, match="'nowhere' is not loaded"):
        application.priv_dir("nowhere")


async def test_no_warning_names_what_the_node_itself_keeps_of_an_application(small: SmallNode) -> None:
    write(small, "1", mod="shop.app:Shop", app=APP)
    write(small, "2", NOTHING.replace("@", "1"), mod="shop.app:Shop", app=APP)
    handler = small.boot()
    await application.start("shop")
    plan = await handler.plan("2")
    holders = [warning.partition(" is a path of ")[0] for warning in plan.warnings if " is a path of " in warning]
    assert sorted(holders) == ["In reader, state.folder", "shop.reader.HERE"]
    await application.stop("shop")
