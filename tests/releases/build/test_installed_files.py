"""Third-party code gets into a release only as the wheel's RECORD describes it."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.distributions import Distribution, parse_requirements, resolve_distributions
from node_runtime.releases.build.installed_files import check_recorded
from node_runtime.releases.build.project import read_project
from tests.support.projects.tiny_project import write_project

FILES = {"abacus/__init__.py": b"BEADS = 13\n", "abacus/beads.txt": b"heaven and earth\n"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sys.path with one installed distribution, abacus 1.4."""
    folder = tmp_path / "site"
    bound = Distribution("abacus", "1.4", {f"_abacus.{sys.implementation.cache_tag}-x86_64-linux-gnu.so": b""})
    assert bound.directory == "lib/abacus-1.4+cp{}{}".format(*sys.version_info)
    described = folder / "abacus-1.4.dist-info"
    described.mkdir(parents=True)
    files = FILES | {
        "abacus-1.4.dist-info/METADATA": b"Metadata-Version: 2.1\nName: abacus\nVersion: 1.4\n",
        "abacus-1.4.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    for path, data in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    lines = [f"{path},{digest(data)},{len(data)}" for path, data in files.items()]
    lines += ["abacus-1.4.dist-info/RECORD,,", "../../../bin/abacus,,", "abacus/__pycache__/__init__.cpython-311.pyc,,"]
    (described / "RECORD").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "no-wheels"))
    (tmp_path / "no-wheels").mkdir()
    return folder


def digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def resolve(tmp_path: Path) -> Distribution:
    (found,) = resolve_distributions(parse_requirements(["abacus"], Path("release.toml")), tmp_path / "downloads")
    return found


def test_exactly_the_recorded_files_of_a_wheel_are_packed(site: Path, tmp_path: Path) -> None:
    (site / "abacus" / "sitecustomize.py").write_bytes(b"raise SystemExit\n")
    found = resolve(tmp_path)
    assert found.directory == "lib/abacus-1.4"
    described = {"abacus-1.4.dist-info/METADATA", "abacus-1.4.dist-info/WHEEL"}
    assert set(found.files) == {*FILES, *described}
    assert {path: found.files[path] for path in FILES} == FILES


def change_a_byte(site: Path) -> None:
    (site / "abacus" / "__init__.py").write_bytes(b"BEADS = 14\n")


def make_longer(site: Path) -> None:
    (site / "abacus" / "__init__.py").write_bytes(b"BEADS = 13\nimport spy\n")


def delete_a_file(site: Path) -> None:
    (site / "abacus" / "beads.txt").unlink()


def drop_a_hash(site: Path) -> None:
    record = site / "abacus-1.4.dist-info" / "RECORD"
    record.write_text(record.read_text() + "abacus/spy.py,,\n")
    (site / "abacus" / "spy.py").write_bytes(b"")


def use_a_weak_hash(site: Path) -> None:
    record = site / "abacus-1.4.dist-info" / "RECORD"
    record.write_text(record.read_text() + "abacus/spy.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n")
    (site / "abacus" / "spy.py").write_bytes(b"")


def list_a_foreign_file(site: Path) -> None:
    secret = site.parent / "secret"
    secret.write_bytes(b"")
    record = site / "abacus-1.4.dist-info" / "RECORD"
    record.write_text(record.read_text() + f"{secret},{digest(b'')},0\nabacus/../../secret,{digest(b'')},0\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_a_byte, "abacus/__init__.py is not the file that its RECORD describes"),
        (make_longer, "abacus/__init__.py is not the file that its RECORD describes"),
        (delete_a_file, "abacus/beads.txt can't be read (No such file or directory)"),
        (drop_a_hash, "its RECORD has no hash for abacus/spy.py"),
        (use_a_weak_hash, "abacus/spy.py is not the file that its RECORD describes"),
        (list_a_foreign_file, "secret', which is not one of its own files"),
    ],
)
def test_a_file_that_its_record_does_not_describe_is_refused(
    site: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    change(site)
    with pytest.raises(Refused) as refused:
        resolve(tmp_path)
    assert said in refused.value.sentence
    assert refused.value.sentence.endswith("run `python -m pip install --force-reinstall --no-deps abacus==1.4`.")


@pytest.mark.parametrize("missing", ["RECORD", "WHEEL"])
def test_what_was_not_installed_from_a_wheel_is_not_packed(site: Path, tmp_path: Path, missing: str) -> None:
    (site / "abacus-1.4.dist-info" / missing).unlink()
    with pytest.raises(Refused, match="abacus is not installed from a wheel in the build environment"):
        resolve(tmp_path)


def test_an_editable_distribution_is_not_packed(site: Path, tmp_path: Path) -> None:
    origin = {"url": site.as_uri(), "dir_info": {"editable": True}}
    (site / "abacus-1.4.dist-info" / "direct_url.json").write_text(json.dumps(origin))
    with pytest.raises(Refused, match="abacus is not installed from a wheel in the build environment"):
        resolve(tmp_path)


def test_the_runtime_itself_is_compared_with_its_record_unless_it_is_editable(site: Path) -> None:
    distribution = metadata.distribution("abacus")
    check_recorded(distribution, FILES)
    with pytest.raises(Refused, match=r"abacus/spy\.py is not in its RECORD"):
        check_recorded(distribution, {**FILES, "abacus/spy.py": b""})
    (site / "abacus-1.4.dist-info" / "RECORD").unlink()
    with pytest.raises(Refused, match="its RECORD is missing"):
        check_recorded(distribution, FILES)


LIBRARY = {
    "apps/abacus/app.toml": 'name = "abacus"\nvsn = "1.4"\nsource = "distribution:abacus"\n',
    "release.toml": 'name = "tiny"\nvsn = "1.0"\napps = ["abacus", "tiny"]\n',
}


def test_the_code_of_an_installed_distribution_can_be_that_of_an_application(site: Path, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", "1.0", LIBRARY)
    library = next(app for app in read_project(folder).apps if app.app.name == "abacus")
    assert library.modules == {"abacus": "src/abacus/__init__.py"}
    assert library.files["src/abacus/beads.txt"] == FILES["abacus/beads.txt"]
    assert not any("dist-info" in path for path in library.files)

    (site / "abacus/__init__.py").write_bytes(b"BEADS = 14\n")
    with pytest.raises(Refused, match=r"abacus/__init__.py is not the file that its RECORD describes"):
        read_project(folder)


@pytest.mark.parametrize(
    ("record", "metadata_line", "requirements", "sentence"),
    [
        (
            "abacus/_fast.so,,\n",
            "",
            "",
            "abacus/_fast.so of abacus is compiled, and can't be replaced while a node runs; ",
        ),
        ("", "Requires-Dist: beads>=2\n", "", "abacus needs beads>=2; add it to `requirements` of release.toml."),
        ("", "", 'requirements = ["Abacus==1.4"]', "abacus is also in `requirements` of release.toml; remove it there"),
    ],
)
def test_a_distribution_that_can_not_be_hot_is_refused_with_a_remedy(
    site: Path, tmp_path: Path, record: str, metadata_line: str, requirements: str, sentence: str
) -> None:
    described = site / "abacus-1.4.dist-info"
    (site / "abacus/_fast.so").touch()  # since Python 3.12, importlib.metadata leaves out files that are missing
    text = f"{(described / 'METADATA').read_text()}{metadata_line}"
    (described / "METADATA").write_text(text)
    lines = [line for line in (described / "RECORD").read_text().splitlines(keepends=True) if "METADATA" not in line]
    lines.append(f"abacus-1.4.dist-info/METADATA,{digest(text.encode())},{len(text)}\n")
    (described / "RECORD").write_text("".join(lines) + record)
    release = f"{LIBRARY['release.toml']}{requirements}\n"
    with pytest.raises(Refused) as refused:
        read_project(write_project(tmp_path / "project", "1.0", {**LIBRARY, "release.toml": release}))
    assert "apps/abacus/app.toml, line 3: " in refused.value.sentence
    assert sentence in refused.value.sentence
