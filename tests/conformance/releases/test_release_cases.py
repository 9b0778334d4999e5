"""Cases of release_handler_SUITE and systools_SUITE: old code, many modules, lists of releases, tarballs."""

from __future__ import annotations

import importlib
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import call, gen_server
from node_runtime.code import Source
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from node_runtime.releases.build.tarball import build
from node_runtime.releases.files.release_model import ReleaseView
from tests.support.projects.release_statuses import statuses
from tests.support.projects.relup_cases import app, load, translated
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER
from tests.support.projects.tiny_project import write_project

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

MANY = 20


async def test_otp_9395_check_old_code_of_which_something_refers_to_a_function(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + "\n"}, LOAD_COUNTER)
    small.boot()
    kept = importlib.import_module("shop.counter").Counter.version  # a function of release 1
    await small.install("2")
    source = small.root / "another.py"
    source.write_text(COUNTER)
    assert small.code.is_old_code_held("shop.counter")
    assert not small.code.soft_purge("shop.counter")
    assert (await small.handler.plan("1")).blockers == (), "the old version itself can become current again"
    small.code.prepare([Source("shop.counter", str(source), "shop", "1")]).commit()
    del kept
    assert small.code.soft_purge("shop.counter")


def many(version: str) -> dict[str, str]:
    return {f"shop.m{number}": COUNTER.replace('"c1"', f'"{version}"') for number in range(MANY)}


async def test_otp_9395_update_many_mods_and_rm_many_mods(small: SmallNode) -> None:
    """Many modules with many processes are updated, and removed, in one install."""
    update = ", ".join(f'{{ update = "shop.m{number}" }}' for number in range(MANY))
    delete = ", ".join(f'{{ delete_module = "shop.m{number}" }}' for number in range(1, MANY))
    add = ", ".join(f'{{ add_module = "shop.m{number}" }}' for number in range(1, MANY))
    both = '[[up]]\nfrom = "1"\ninstructions = [{0}]\n[[down]]\nto = "1"\ninstructions = [{1}]\n'
    small.write("1", many("1"))
    small.write("2", many("2"), both.format(update, update))
    last = f'{{ update = "shop.m0" }}, {delete}', f'{{ update = "shop.m0" }}, {add}'
    small.write("3", {"shop.m0": COUNTER.replace('"c1"', '"3"')}, both.format(*last))
    small.boot()
    modules = [importlib.import_module(f"shop.m{number}") for number in range(MANY)]
    pids = [await gen_server.start(module.Counter) for module in modules for _ in range(10)]
    assert (await small.install("2")).outcome == "installed"
    assert {await call(pid, modules[0].Counter.version) for pid in pids} == {"2"}
    assert (await small.install("1")).outcome == "installed"
    for pid in pids[10:]:
        await gen_server.stop(pid)
    assert (await small.install("3")).outcome == "installed"
    assert {module for module in small.code.modules if small.code.versions(module)[0]} == {"shop", "shop.m0"}


async def test_release_handler_which_releases(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    handler = small.boot()
    assert statuses(handler) == {"1": "permanent", "2": "unpacked"}
    await small.install("2")
    assert statuses(handler) == {"1": "permanent", "2": "current"}
    assert [release.vsn for release in handler.releases()] == ["1", "2"]


@pytest.mark.parametrize(("entry", "vsn"), [("1.*", "1.0.3"), (">=1.0, <2.0", "1.7")])
def test_otp_10463_upgrade_script_regexp(entry: str, vsn: str) -> None:
    """The script of the first entry that the version matches is taken, in both directions."""
    ways: Any = [("9", []), (entry, [{"load_module": "foo"}])]
    older = ReleaseView("R1", (app("test", vsn, "foo"),))
    newer = ReleaseView("R2", (app("test", "2.0", "foo", up=ways, down=ways),))
    for direction in ("up", "down"):
        assert translated(older, newer, direction)[-1] == load("foo")


# ---------------------------------------------------------------- systools


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("release.toml", "name = 1", r"release\.toml, line 1"),
        ("release.toml", 'name = "tiny"\nvsn = "1.0"\napps = ["nobody"]\n', "nobody"),
        ("apps/tiny/app.toml", 'name = "other"\nvsn = "1.0"\n', "other"),
        ("apps/tiny/app.toml", 'name = "tiny"\nvsn = "1.0"\napplications = ["nobody"]\n', "nobody"),
    ],
)
def test_abnormal_script(tmp_path: Path, file: str, text: str, sentence: str) -> None:
    """A wrong release or application is refused, with its file."""
    with pytest.raises(Refused, match=sentence):
        read_project(write_project(tmp_path / "project", changes={file: text}))


def test_app_file_defaults(tmp_path: Path) -> None:
    """An application needs a name and a version; everything else has a default."""
    project = write_project(tmp_path / "project", changes={"apps/tiny/app.toml": 'name = "tiny"\nvsn = "1.0"\n'})
    [tiny] = read_project(project).apps
    assert (tiny.app.applications, tiny.app.registered, tiny.app.env, tiny.app.mod) == ((), (), {}, None)


@pytest.fixture
def uncompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compression takes most of the time of a build."""
    monkeypatch.setattr("node_runtime.releases.build.tarball.COMPRESSION_LEVEL", 0)


@pytest.mark.usefixtures("uncompressed")
def test_normal_tar_and_system_files_tar(tmp_path: Path) -> None:
    """A tarball has the applications, the release and its configuration files."""
    changes = {"config/sys.toml": '[tiny]\nsize = "small"\n'}
    built = build(write_project(tmp_path / "project", changes=changes), tmp_path)
    with tarfile.open(built) as archive:
        names = set(archive.getnames())
        system = archive.extractfile("releases/1.0/sys.toml")
        assert system is not None
        assert system.read().decode() == changes["config/sys.toml"]
    for name in ("bin/tiny", "lib/tiny-1.0/app.toml", "lib/tiny-1.0/src/tiny/server.py", "releases/1.0/manifest.json"):
        assert name in names


@pytest.mark.usefixtures("uncompressed")
def test_link_tar(tmp_path: Path) -> None:
    """A module that is a symbolic link goes into the tarball as a file, as with the option dereference."""
    project = write_project(tmp_path / "project")
    server = project / "apps/tiny/src/tiny/server.py"
    server.rename(tmp_path / "elsewhere.py")
    server.symlink_to(tmp_path / "elsewhere.py")
    with tarfile.open(build(project, tmp_path)) as archive:
        assert archive.getmember("lib/tiny-1.0/src/tiny/server.py").isreg()
