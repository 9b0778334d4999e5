"""OTP's release_handler_SUITE on a small node. Numbers 19 to 37 of the list.

Emulator restarts (22, 35) are translated only. 28 (update_paths) and 37 (a pre-purge makes an install faster) do not
apply here; docs/otp-differences.md says why.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from node_runtime import application, call, gen_server, supervisor, whereis
from node_runtime.behaviours import sys as otp_sys
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import AppEntry, FileEntry, ModuleEntry, manifest_path, read_manifest, sha256
from node_runtime.releases.store import commit_record
from tests.support.projects.release_statuses import statuses
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def module(name: str) -> Any:
    return importlib.import_module(name)


async def start_counter() -> None:
    await gen_server.start(module("shop.counter").Counter, name="counter")


def both_ways(*instructions: str) -> str:
    steps = ",\n".join(instructions)
    return f'[[up]]\nfrom = "1"\ninstructions = [\n{steps}\n]\n[[down]]\nto = "1"\ninstructions = [\n{steps}\n]\n'


# ---------------------------------------------------------------- upgrade: what is permanent


async def test_upgrade_install_1_2_what_is_not_permanent_does_not_boot_and_can_be_installed_again(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.boot()
    await small.install("2")
    assert statuses(small.handler) == {"1": "permanent", "2": "current"}

    again = await small.reboot()
    assert again.vsn == "1"
    assert statuses(again) == {"1": "permanent", "2": "unpacked"}
    assert (await small.install("2")).outcome == "installed"
    assert module("shop.counter").__vsn__ == "c2"


async def test_upgrade_install_8_the_permanent_release_stays_permanent_when_it_is_installed(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.boot()
    await small.install("2")
    await small.install("1")
    assert statuses(small.handler) == {"1": "permanent", "2": "unpacked"}  # in OTP: old, until the next boot


@pytest.mark.each_loop
async def test_upgrade_install_10_13_an_old_release_comes_back_and_the_other_can_be_removed(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER}, path=("lib/shared-1",))
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, shares=("lib/shared-1",))
    small.boot()
    await small.install("2")
    await small.handler.commit(m.Commit(), "ann")
    assert statuses(small.handler) == {"1": "old", "2": "permanent"}
    await small.install("1")
    await small.handler.commit(m.Commit(), "ann")
    assert statuses(small.handler) == {"1": "permanent", "2": "old"}
    again = await small.reboot()
    assert again.vsn == "1"
    await again.remove("2")
    assert (small.root / "lib/shared-1").exists()
    assert not (small.root / "lib/shop-2").exists()


@pytest.mark.parametrize("said", ["restart_emulator", "restart_new_emulator", "sync_nodes"])
async def test_upgrade_restart_and_eval_appup_with_restart_nothing_of_it_is_done_hot(
    small: SmallNode, said: str
) -> None:
    line = '{ sync_nodes = "x", nodes = ["a@b"] }' if said == "sync_nodes" else f"{{ {said} = true }}"
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, both_ways('{ load_module = "shop.counter" }', line))
    small.boot()
    plan = await small.handler.plan("2")
    [blocker] = plan.blockers
    assert said in blocker.reason
    assert "restart of the node" in blocker.reason
    assert (await small.install("2")).outcome == "aborted"
    assert small.handler.vsn == "1"
    assert module("shop.counter").__vsn__ == "c1"


# ---------------------------------------------------------------- instructions

TOP = """
from node_runtime import ChildSpec, Supervisor, gen_server
from shop.counter import Counter

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 5, 10.0
    def children(self):
        return [ChildSpec("counter", start="shop.top:start", shutdown=5.0)]

async def start():
    from shop.counter import Counter
    return await gen_server.start_link(Counter, name="counter")
"""


async def start_top() -> None:
    await supervisor.start_link(module("shop.top").Top, name="top")


async def test_instructions_stop_and_start_take_a_child_away_and_bring_it_back(small: SmallNode) -> None:
    steps = (
        '{ load_object_code = "shop", vsn = "VSN", modules = ["shop.counter"] }',
        "{ point_of_no_return = true }",
        '{ stop = ["shop.counter"] }',
        '{ load = "shop.counter" }',
        '{ start = ["shop.counter"] }',
    )
    up, down = both_ways(*steps).replace("[[down]]", "|[[down]]").split("|")
    small.write("1", {"shop.counter": COUNTER, "shop.top": TOP})
    appup = up.replace("VSN", "2") + down.replace("VSN", "1")
    small.write("2", {"shop.counter": COUNTER_2, "shop.top": TOP}, appup)
    small.boot()
    await start_top()
    before = whereis("counter")
    await call("counter", module("shop.counter").Counter.add)
    for vsn in ("2", "1"):
        assert (await small.install(vsn)).outcome == "installed"
        now = whereis("counter")
        assert now not in (None, before)
        assert await call("counter", module("shop.counter").Counter.add) == 1
        assert await call("counter", module("shop.counter").Counter.version) == f"c{vsn}"
        before = now
    assert [child.id for child in supervisor.which_children("top")] == ["counter"]


async def test_supervisor_which_children_timeout_a_suspended_supervisor_hides_nobody(small: SmallNode) -> None:
    """In OTP, a suspended supervisor ends the search for processes in the tree; here each process has its module."""
    small.write("1", {"shop.counter": COUNTER, "shop.top": TOP})
    small.write("2", {"shop.counter": COUNTER_2, "shop.top": TOP}, UPDATE_COUNTER)
    small.boot()
    await start_top()
    await otp_sys.suspend("top")
    operation = await small.install("2")
    assert operation.outcome == "installed"
    assert [result.name for result in operation.results] == ["counter"]
    otp_sys.resume("top")


async def test_install_release_syntax_check_an_instruction_that_is_not_allowed_is_found_by_the_plan(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    script = both_ways('{ suspend = ["shop.counter"] }', "{ point_of_no_return = true }")
    small.write("2", {"shop.counter": COUNTER_2}, script)
    small.boot()
    [blocker] = (await small.handler.plan("2")).blockers
    assert "suspend can't be before point_of_no_return" in blocker.reason
    with pytest.raises(Refused, match="can't be before"):
        small.handler.install(m.Install(vsn="2"), "ann")


@pytest.mark.parametrize("vsn", ["'text'", "7", "1.5"])
async def test_otp_2740_a_module_s_version_may_be_a_text_or_a_number(small: SmallNode, vsn: str) -> None:
    telling = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {"count": str(old_vsn)}
"""
    small.write("1", {"shop.counter": COUNTER.replace('"c1"', vsn)})
    small.write("2", {"shop.counter": COUNTER_2 + telling}, UPDATE_COUNTER)
    small.boot()
    await start_counter()
    operation = await small.install("2")
    assert operation.outcome == "installed"
    assert (await otp_sys.get_state("counter"))["count"] == vsn.strip("'")


async def test_otp_2760_9417_a_module_that_was_never_loaded_can_be_deleted(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.never": "x = 1\n"})
    small.write("2", {"shop.counter": COUNTER}, '[[up]]\nfrom = "1"\ninstructions = [{ delete_module = "shop.never" }]')
    small.boot()
    module("shop.counter")
    assert "shop.never" not in sys.modules
    assert (await small.install("2")).outcome == "installed"
    with pytest.raises(ModuleNotFoundError):
        module("shop.never")


EXTRA = """
from node_runtime import Application, ChildSpec, GenServer, Supervisor, gen_server, supervisor

class ExtraApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top, name="extra_top")

class Top(Supervisor):
    def children(self):
        return [ChildSpec("extra", start="extra.app:start")]

class Extra(GenServer[int]):
    def init(self):
        return 1

async def start():
    return await gen_server.start_link(Extra, name="extra")
"""


def add_extra(small: SmallNode, vsn: str) -> None:
    """Add a second application to a written release."""
    source = small.root / "lib/extra-1/src/extra"
    source.mkdir(parents=True, exist_ok=True)
    (source / "__init__.py").touch()
    (source / "app.py").write_text(EXTRA)
    settings = small.root / "lib/extra-1/app.toml"
    settings.write_text('name = "extra"\nvsn = "1"\nmod = "extra.app:ExtraApp"\n')
    manifest = read_manifest(small.root, vsn)
    files = {
        str(one.relative_to(small.root)): FileEntry(size=one.stat().st_size, sha256=sha256(one.read_bytes()))
        for one in (source / "__init__.py", source / "app.py", settings)
    }
    paths = {"extra": "lib/extra-1/src/extra/__init__.py", "extra.app": "lib/extra-1/src/extra/app.py"}
    modules = {name: ModuleEntry(path=path, sha256=files[path].sha256) for name, path in paths.items()}
    more = (*manifest.apps, AppEntry(name="extra", vsn="1", modules=modules))
    changed = structs.replace(manifest, apps=more, files={**manifest.files, **files})
    (small.root / manifest_path(vsn)).write_bytes(changed.encoded())
    (small.root / f"releases/{vsn}/release.toml").write_text(
        f'name = "shop"\nvsn = "{vsn}"\napps = ["shop", "extra"]\n'
    )


async def test_otp_2760_a_removed_application_is_unloaded_and_its_modules_are_gone(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    add_extra(small, "2")
    small.boot()
    for _ in range(2):
        assert (await small.install("2")).outcome == "installed"
        assert whereis("extra") is not None
        assert "extra" in {running.spec.name for running in application.which_applications()}
        down = await small.install("1")
        assert (down.outcome, down.error) == ("installed", None)
        assert whereis("extra") is None
        assert "extra" not in {spec.name for spec in application.loaded_applications()}
        assert "extra.app" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        module("extra.app")


async def test_otp_9402_a_version_with_no_changed_module_reloads_nothing_and_moves_its_files(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.late": "x = 1\n"})
    small.write("2", {"shop.counter": COUNTER, "shop.late": "x = 1\n"}, both_ways())
    small.boot()
    loaded = module("shop.counter").Counter
    operation = await small.install("2")
    assert (operation.outcome, operation.results) == ("installed", ())
    assert module("shop.counter").Counter is loaded
    assert [spec.vsn for spec in application.loaded_applications() if spec.name == "shop"] == ["2"]
    assert Path(module("shop.late").__file__) == small.root / "lib/shop-2/src/shop/late.py"


async def test_otp_9395_check_and_purge_a_plan_purges_nothing(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + "\n"}, LOAD_COUNTER.replace('"1"', '"2"'))
    small.boot()
    await start_counter()
    await small.install("2")
    old = small.code.versions("shop.counter")[1]
    assert old is not None
    assert (await small.handler.plan("3")).blockers == ()
    assert small.code.versions("shop.counter")[1] is old


async def test_otp_9864_remove_release_does_not_delete_through_a_link(small: SmallNode, tmp_path: Path) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.boot()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (small.root / "lib/shop-2/link").symlink_to(outside)
    await small.handler.remove("2")
    assert (outside / "precious").read_text() == "x"
    assert not (small.root / "lib/shop-2/src").exists()


# ---------------------------------------------------------------- upgrade_supervisor

UPDATE_TOP = both_ways('{ update = "shop.top", type = "supervisor" }')


async def test_upgrade_supervisor_strategy_and_shutdown_are_the_new_ones(small: SmallNode) -> None:
    changed = TOP.replace('"one_for_one", 5', '"one_for_all", 6').replace("shutdown=5.0", "shutdown=7.0")
    small.write("1", {"shop.counter": COUNTER, "shop.top": TOP})
    small.write("2", {"shop.counter": COUNTER, "shop.top": changed}, UPDATE_TOP)
    small.boot()
    await start_top()
    child = whereis("counter")
    for vsn, strategy, shutdown in (("2", "one_for_all", 7.0), ("1", "one_for_one", 5.0)):
        assert (await small.install(vsn)).outcome == "installed"
        assert supervisor.flags("top").strategy == strategy
        assert supervisor.get_childspec("top", "counter").shutdown == shutdown
        assert whereis("counter") == child


async def test_upgrade_supervisor_fail_is_told_and_put_back_instead_of_a_restart(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.top": TOP})
    bad = {"shop.counter": COUNTER, "shop.top": TOP.replace("shutdown=5.0", "shutdown=-1.0")}
    small.write("2", bad, UPDATE_TOP)
    small.boot()
    await start_top()
    child = whereis("counter")
    operation = await small.install("2")
    assert operation.outcome in ("put back", "aborted")
    assert "shutdown" in str(operation.error)
    assert supervisor.get_childspec("top", "counter").shutdown == 5.0
    assert whereis("counter") == child
    assert small.handler.vsn == "1"


# ---------------------------------------------------------------- eval_appup

TELLING = """
from node_runtime import Application, gen_server, supervisor
from shop.counter import Counter
from shop.top import Top

TOLD = []

class ShopApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top, name="top")

    def config_change(self, changed, new, removed):
        TOLD.append((dict(changed), dict(new), sorted(removed)))
"""


async def test_eval_appup_config_change_sees_what_has_changed_both_ways(small: SmallNode) -> None:
    modules = {"shop.counter": COUNTER, "shop.top": TOP, "shop.app": TELLING}
    small.write("1", modules, env="x = 1\ngone = 1\n", mod="shop.app:ShopApp")
    newer = {**modules, "shop.counter": COUNTER_2}
    small.write("2", newer, LOAD_COUNTER, env="x = 2\ncome = 2\n", mod="shop.app:ShopApp")
    small.boot()
    await application.start("shop")
    await small.install("2")
    await small.install("1")
    assert module("shop.app").TOLD == [({"x": 2}, {"come": 2}, ["gone"]), ({"x": 1}, {"gone": 1}, ["come"])]
    await application.stop("shop")


# ---------------------------------------------------------------- move_system, unicode_upgrade


async def test_move_system_and_unicode_upgrade_a_node_may_lie_anywhere(
    small: SmallNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.root = tmp_path / "Ärger mit Leerzeichen"
    text = COUNTER.replace('"count"', '"räknare"')
    small.write("1", {"shop.counter": text})
    small.write("2", {"shop.counter": text.replace('"c1"', '"c2"')}, LOAD_COUNTER)
    small.root = small.root.rename(tmp_path / "någon annanstans")
    monkeypatch.chdir("/")
    small.boot()
    await start_counter()
    assert (await small.install("2")).outcome == "installed"
    await small.handler.commit(m.Commit(), "ann")
    assert (await small.reboot()).vsn == "2"
    assert (await small.install("1")).outcome == "installed"
    await small.handler.commit(m.Commit(), "ann")
    await small.handler.remove("2")
    known = commit_record.load(small.root)
    assert known is not None
    assert list(known.releases) == ["1"]
