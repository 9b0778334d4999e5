"""Builds: the same bytes each time, complete, and nothing for a project that could not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from node_runtime.releases.build.tarball import build
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.relup.relup_json import relup_json
from node_runtime.releases.relup.translation import make_relup
from tests.support.nodes.built_once import tarball_once
from tests.support.projects.tiny_project import write_project

APPUP = """
vsn = "2.0"
[[up]]
from = "1.0"
instructions = [{instructions}]
[[down]]
to = "1.0"
instructions = [{down}]
"""


def appup(instructions: str = "", down: str = "") -> str:
    return APPUP.replace("{instructions}", instructions).replace("{down}", down)


def contents(tarball: Path) -> tuple[list[tarfile.TarInfo], dict[str, bytes]]:
    with tarfile.open(tarball) as archive:
        members = archive.getmembers()
        files = {member.name: archive.extractfile(member) for member in members}
        return members, {name: file.read() for name, file in files.items() if file is not None}


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    return tarball_once(write_project(folder / "project"), folder, build)


def refusal(folder: Path, vsn: str = "1.0", **changes: str | None) -> str:
    paths = {path.replace("__", "/").replace("_toml", ".toml"): text for path, text in changes.items()}
    with pytest.raises(Refused) as refused:
        read_project(write_project(folder / "project", vsn, paths))
    return refused.value.sentence


def test_a_tarball_has_everything_that_a_node_needs(tarball: Path) -> None:
    assert tarball.name == "tiny-1.0.tar.gz"
    _, files = contents(tarball)
    launcher = next(path for path in files if path.endswith("/cli/launcher/script.py")).removesuffix("script.py")
    copies = {path.removeprefix(launcher): data for path, data in files.items() if path.startswith(launcher)}
    assert files["bin/tiny"] == copies.pop("script.py")
    beside = {path: data for path, data in files.items() if path.startswith("bin/") and path != "bin/tiny"}
    assert beside == {f"bin/_launcher/{name}": data for name, data in copies.items()}
    for path in (
        "lib/tiny-1.0/app.toml",
        "lib/tiny-1.0/src/tiny/app.py",
        "lib/tiny-1.0/src/tiny/hello_page.py",
        "lib/tiny-1.0/priv/pages/hello.html",
        "releases/1.0/release.toml",
        "releases/1.0/sys.toml",
        "releases/1.0/node.toml",
    ):
        assert path in files
    packages = {path.split("/")[1].rpartition("-")[0] for path in files if path.startswith("lib/")}
    assert {
        "node_runtime",
        "hotdash",
        "msgspec",
        "pyzmq",
        "psutil",
        "uvicorn",
        "starlette",
        "rich",
        "click",
    } <= packages
    assert "textual" not in packages
    assert not any("__pycache__" in path or path.endswith("/RECORD") for path in files)


def test_the_manifest_comes_first_and_has_every_file_with_its_hash(tarball: Path) -> None:
    members, files = contents(tarball)
    assert members[0].name == "releases/1.0/manifest.json"
    manifest: dict[str, Any] = json.loads(files.pop("releases/1.0/manifest.json"))
    assert {path: entry["sha256"] for path, entry in manifest["files"].items()} == {
        path: sha256(data) for path, data in files.items()
    }
    assert manifest["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    (app,) = manifest["apps"]
    assert sorted(app["modules"]) == ["tiny.app", "tiny.hello_page", "tiny.server", "tiny.sup"]
    assert app["modules"]["tiny.app"] == {
        "path": "lib/tiny-1.0/src/tiny/app.py",
        "sha256": sha256(files["lib/tiny-1.0/src/tiny/app.py"]),
    }
    assert all(any(path.startswith(f"{part}/") for path in files) for part in manifest["path"])


def test_members_are_sorted_and_do_not_identify_the_builder(tarball: Path) -> None:
    members, _ = contents(tarball)
    names = [member.name for member in members[1:]]
    assert names == sorted(names)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.type) for m in members} == {(0, 0, 0, "", "", tarfile.REGTYPE)}
    assert {member.name for member in members if member.mode != 0o644} == {"bin/tiny"}
    assert tarball.read_bytes()[4:8] == b"\0\0\0\0"


def test_two_builds_are_equal_byte_for_byte(tarball: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "elsewhere")
    code = "import sys; from pathlib import Path; from node_runtime.releases.build.tarball import build; "
    code += "build(Path(sys.argv[1]), Path(sys.argv[2]))"
    subprocess.run(
        (sys.executable, "-c", code, project, tmp_path), check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert (tmp_path / "tiny-1.0.tar.gz").read_bytes() == tarball.read_bytes()


def test_a_requirement_of_the_release_comes_with_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node_runtime.releases.build.tarball.COMPRESSION_LEVEL", 0)
    release = 'name = "tiny"\nvsn = "1.0"\napps = ["tiny"]\nrequirements = ["hypothesis"]\n'
    project = write_project(tmp_path / "project", changes={"release.toml": release})
    _, files = contents(build(project, tmp_path))
    packages = {path.split("/")[1].rpartition("-")[0] for path in files if path.startswith("lib/")}
    assert {"hypothesis", "sortedcontainers"} <= packages


@pytest.mark.parametrize("requirement", ["jinja2<2", "no such thing", "jinja2=1"])
def test_a_requirement_that_can_not_be_met_is_refused_by_name(
    tmp_path: Path, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    release = f'name = "tiny"\nvsn = "1.0"\napps = ["tiny"]\nrequirements = ["{requirement}"]\n'
    project = write_project(tmp_path / "project", changes={"release.toml": release})
    with pytest.raises(Refused, match=r"(?i)requirement|jinja2"):
        build(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_code_that_does_not_compile_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "app.py, line 2" in refusal(tmp_path, **{"apps/tiny/src/tiny/app.py": "x = 1\ndef f(:\n"})


def test_an_unknown_application_is_named(tmp_path: Path) -> None:
    app = 'name = "tiny"\nvsn = "1.0"\napplications = ["kernel"]\n'
    assert "needs the application kernel" in refusal(tmp_path, **{"apps/tiny/app.toml": app})


def test_a_configuration_for_an_unknown_application_is_named(tmp_path: Path) -> None:
    assert "line 1: tinny is not an application" in refusal(tmp_path, **{"config/sys.toml": "[tinny]\na = 1\n"})


def test_a_project_without_a_node_name_is_refused(tmp_path: Path) -> None:
    assert "config/node.toml can't be read" in refusal(tmp_path, config__node_toml=None)


def test_applications_that_need_each_other_are_refused(tmp_path: Path) -> None:
    changes = {
        "release.toml": 'name = "tiny"\nvsn = "1.0"\napps = ["tiny", "other"]\n',
        "apps/tiny/app.toml": 'name = "tiny"\nvsn = "1.0"\napplications = ["other"]\n',
        "apps/other/app.toml": 'name = "other"\nvsn = "1.0"\napplications = ["tiny"]\n',
    }
    assert "tiny → other → tiny need each other" in refusal(tmp_path, **changes)


def test_applications_are_in_their_start_order(tmp_path: Path) -> None:
    changes = {
        "release.toml": 'name = "tiny"\nvsn = "1.0"\napps = ["tiny", "base"]\n',
        "apps/tiny/app.toml": 'name = "tiny"\nvsn = "1.0"\napplications = ["web", "base"]\n',
        "apps/base/app.toml": 'name = "base"\nvsn = "0.3"\n',
        "apps/base/src/base.py": "",
    }
    project = read_project(write_project(tmp_path, changes=changes))
    assert [app.app.name for app in project.apps] == ["base", "tiny"]


def test_a_module_in_two_applications_is_refused(tmp_path: Path) -> None:
    changes = {
        "release.toml": 'name = "tiny"\nvsn = "1.0"\napps = ["tiny", "other"]\n',
        "apps/other/app.toml": 'name = "other"\nvsn = "1.0"\n',
        "apps/other/src/tiny/app.py": "",
    }
    assert "tiny.app is in two applications, tiny and other" in refusal(tmp_path, **changes)


@pytest.mark.parametrize(
    ("up", "down", "said"),
    [
        ('{ load_module = "tiny.lost" }', "", "has no module tiny.lost"),
        (
            '{ delete_module = "tiny.app" }',
            "",
            "delete_module tiny.app: tiny 2.0 has this module; use another instruction",
        ),
        (
            "",
            '{ add_module = "tiny.app" }',
            "add_module tiny.app: tiny 2.0 has this module; use another instruction",
        ),
        ("", '{ update = "tiny.lost" }', "has no module tiny.lost"),
    ],
)
def test_an_appup_that_names_unsuitable_modules_is_refused(tmp_path: Path, up: str, down: str, said: str) -> None:
    assert said in refusal(tmp_path, "2.0", **{"apps/tiny/appup.toml": appup(up, down)})


def test_an_appup_for_another_version_is_refused(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, "3.0", **{"apps/tiny/appup.toml": appup()})
    assert "line 2: vsn is 2.0, but this is the appup of tiny 3.0" in sentence


def test_a_relup_is_made_from_two_projects_without_building_them(tmp_path: Path) -> None:
    older = read_project(write_project(tmp_path / "1.0"))
    load = '{ load_module = "tiny.hello_page" }'
    changes = {"apps/tiny/appup.toml": appup(load, load), "apps/tiny/priv/pages/hello.html": "<p>Hi {{ name }}</p>\n"}
    newer = read_project(write_project(tmp_path / "2.0", "2.0", changes))
    made = relup_json(make_relup(older.view(), newer.view()))
    assert ["load", "tiny.hello_page", "soft_purge", "soft_purge"] in made["up"]
    assert ["load", "tiny.hello_page", "soft_purge", "soft_purge"] in made["down"]
