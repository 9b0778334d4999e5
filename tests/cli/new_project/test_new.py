"""`node-runtime new`: the project that it writes is complete and correct, and a wrong name is refused in a sentence."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from mypy import api

from node_runtime.cli import main
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from tests.support.nodes.fil_node import environment

KINDS = {"plain": (), "web": ("--web",), "asgi": ("--asgi", "kiosk.main:app")}
KIOSK = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kiosk import prices

app = Starlette(routes=[Route("/", lambda request: PlainTextResponse(prices.LIST))])
"""


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the present one, with the package of an ASGI application."""
    package = tmp_path / "repository/kiosk"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(KIOSK)
    (package / "prices.py").write_text("LIST = 'vanilla: 2'\n")
    monkeypatch.chdir(package.parent)
    return package


@pytest.fixture(params=KINDS)
def project(request: pytest.FixtureRequest, tmp_path: Path, kiosk: Path) -> Path:
    """A new project of each kind."""
    folder = tmp_path / "ice_cream"
    main(["new", str(folder), *KINDS[request.param]])
    return folder


def test_a_new_project_is_a_release_that_passes_its_own_tests(project: Path) -> None:
    assert read_project(project).release.name == "ice_cream"
    done = run_tests(project, environment(project))
    assert done.returncode == 0, done.stdout + done.stderr


def run_tests(project: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pytest", "-p", "node_runtime.testing.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(line, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow  # mypy reads the types of node_runtime for this first; their conformance has quicker tests
def test_a_new_project_passes_mypy_strict(tmp_path: Path, kiosk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, options in KINDS.items():
        folder = tmp_path / kind / "ice_cream"
        monkeypatch.chdir(kiosk.parent)
        main(["new", str(folder), *options])
        monkeypatch.chdir(folder)
        out, err, code = api.run(["--cache-dir", str(tmp_path / "mypy")])
        assert code == 0, out + err


def test_no_word_of_the_template_is_left_in_a_new_project(project: Path) -> None:
    texts = {path: path.read_text() for path in project.rglob("*") if path.is_file()}
    assert {str(path) for path, text in texts.items() if re.search(r"@[A-Z_]+@", f"{path} {text}")} == set()
    assert (project / ".gitignore").exists()
    assert (project / ".github/workflows/ci.yml").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("json", "json is a module of Python's standard library; choose another name, such as json_service."),
        ("class", "class is a keyword of Python; choose another name, such as class_service."),
        ("web", "web is an application that is built into every node; choose another name, such as web_service."),
        ("starlette", "starlette is a package that is installed here; choose another name, such as starlette_service."),
        ("node_runtime", "node_runtime is a package of the node itself; choose another name, such as"),
        ("tests", "tests is a folder of the project itself; choose another name, such as tests_service."),
        ("IceCream", "'IceCream' can't be the name of a project; choose a lowercase letter, then"),
        ("IceCream", "such as ice_cream."),
        ("../9", "'9' can't be the name of a project"),
        ("", "'' can't be the name of a project"),
    ],
)
def test_a_name_that_no_application_can_have_is_refused_with_a_remedy(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["new", name])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "ice_cream"
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(SystemExit) as end:
        main(["new", str(folder)])
    assert end.value.code == 1
    assert f"{folder} exists already; choose another name, or delete it." in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["ice_cream", "mine"]


def test_the_code_of_an_asgi_application_stays_where_it_is_and_its_libraries_are_requirements(
    kiosk: Path, tmp_path: Path
) -> None:
    main(["new", str(tmp_path / "ice_cream"), "--asgi", "kiosk.main:app"])
    project = read_project(tmp_path / "ice_cream")
    assert {"kiosk", "kiosk.main", "kiosk.prices", "ice_cream.app"} < project.apps[0].modules.keys()
    assert any(line.startswith("starlette==") for line in project.release.requirements)
    assert not any(line.startswith("websockets==") for line in project.release.requirements)
    (kiosk / "live.py").write_text("from starlette.websockets import WebSocket\n")
    main(["new", str(tmp_path / "live_ice_cream"), "--asgi", "kiosk.main:app"])
    live = read_project(tmp_path / "live_ice_cream").release.requirements
    assert any(line.startswith("websockets==") for line in live)
    (kiosk / "main.py").write_text("(")
    with pytest.raises(Refused, match=rf"^{re.escape(str(kiosk))}/main\.py, line 1: "):
        read_project(tmp_path / "ice_cream")


def test_an_installed_application_is_served_by_a_project_that_passes_its_own_tests(
    kiosk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    install_wheel(kiosk, site)
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    main(["new", "ice_cream", "--asgi", "kiosk.main:app"])
    folder = tmp_path / "ice_cream"
    project = read_project(folder)
    assert {"kiosk", "kiosk.main", "kiosk.prices", "ice_cream.app"} < project.apps[0].modules.keys()
    assert any(line.startswith("starlette==") for line in project.release.requirements)
    done = run_tests(folder, environment(folder) | {"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stdout + done.stderr


def install_wheel(package: Path, site: Path) -> None:
    """Put a package into `site` with the records of a distribution that pip has installed from a wheel."""
    shutil.copytree(package, site / package.name)
    records = site / f"{package.name}-1.0.dist-info"
    records.mkdir()
    about = f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 1.0\nRequires-Dist: starlette\n"
    (records / "METADATA").write_text(about)
    (records / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (records / "INSTALLER").write_text("pip\n")
    lines = [record_line(path, site) for path in sorted(site.rglob("*")) if path.is_file()]
    (records / "RECORD").write_text("".join(lines) + f"{records.name}/RECORD,,\n")


def record_line(path: Path, site: Path) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    return f"{path.relative_to(site)},sha256={digest},{path.stat().st_size}\n"


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        ("ice_cream", "kiosk", "'kiosk' is not an ASGI application; write module:name, such as main:app."),
        ("ice_cream", "nowhere:app", "There is no package nowhere in this folder, and none is installed"),
        (
            "ice_cream",
            "kiosk.menu:app",
            "kiosk has no module kiosk.menu; name the module of the application, as in main:app.",
        ),
        ("ice_cream", "acme.shop:app", "acme is not a package, because it has no __init__.py; add an empty one."),
        ("kiosk", "kiosk.main:app", "kiosk is the name of the package itself; choose another name, such as"),
    ],
)
def test_an_asgi_application_that_can_not_be_served_is_refused_with_a_remedy(
    name: str, target: str, sentence: str, kiosk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kiosk.parent / "acme/shop").mkdir(parents=True)
    (kiosk.parent / "acme/shop/__init__.py").touch()
    with pytest.raises(SystemExit) as end:
        main(["new", str(tmp_path / "new" / name), "--asgi", target])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
