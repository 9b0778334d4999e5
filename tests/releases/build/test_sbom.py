"""The bill of materials of a release: complete, the same each time, and a CycloneDX document."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from node_runtime.releases.build.distributions import Distribution
from node_runtime.releases.build.project import Project, read_project
from node_runtime.releases.build.sbom import bill_of_materials
from node_runtime.releases.build.tarball import build
from tests.support.nodes.built_once import tarball_once
from tests.support.projects.tiny_project import write_project

Json = dict[str, Any]
DOCUMENT = {"bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies"}
COMPONENT = {"type", "bom-ref", "name", "version", "purl", "hashes", "licenses"}
PURL = re.compile(r"pkg:(generic|pypi)/[A-Za-z0-9._%-]+@[A-Za-z0-9._%+-]+(\?kind=application)?")
SERIAL = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sbom")
    with tarfile.open(tarball_once(write_project(folder / "project"), folder, build)) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read() for name, file in opened.items() if file is not None}


@pytest.fixture(scope="module")
def document(files: dict[str, bytes]) -> Json:
    read: Json = json.loads(files["releases/1.0/sbom.cdx.json"])
    return read


def test_each_release_has_a_document_of_cyclonedx(files: dict[str, bytes], document: Json) -> None:
    assert "releases/1.0/sbom.cdx.json" in json.loads(files["releases/1.0/manifest.json"])["files"]
    assert set(document) == DOCUMENT
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert SERIAL.fullmatch(document["serialNumber"])
    for component in document["components"]:
        assert set(component) <= COMPONENT
        assert component["type"] in {"application", "library"}
        assert PURL.fullmatch(component["purl"])
        (content,) = component["hashes"]
        assert content["alg"] == "SHA-256"
        assert re.fullmatch("[0-9a-f]{64}", content["content"])
        for each in component.get("licenses", ()):
            assert set(each) == {"expression"} or set(each["license"]) == {"name"}
    refs = [each["bom-ref"] for each in document["components"]] + [document["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs))
    assert {each["ref"] for each in document["dependencies"]} == set(refs)
    for each in document["dependencies"]:
        assert set(each["dependsOn"]) <= set(refs)
        assert len(each["dependsOn"]) == len(set(each["dependsOn"]))


def test_every_part_in_lib_is_a_component(files: dict[str, bytes], document: Json) -> None:
    parts = {path.split("/")[1].partition("+cp")[0] for path in files if path.startswith("lib/")}
    components = {f"{each['name']}-{each['version']}" for each in document["components"]}
    assert {part for part in parts if not part.startswith("node_runtime-")} == components
    assert {each["type"] for each in document["components"] if each["name"] == "tiny"} == {"application"}


def test_a_component_has_the_hash_that_sha256sum_would_give(files: dict[str, bytes], document: Json) -> None:
    for component in document["components"]:
        if component["name"] in {"tiny", "msgspec"}:
            folder = f"lib/{component['name']}-{component['version']}"
            folder = next(path for path in files if path.startswith(folder)).split("/")[1]
            folder = f"lib/{folder}/"
            paths = sorted(path.removeprefix(folder) for path in files if path.startswith(folder))
            lines = [f"{hashlib.sha256(files[folder + path]).hexdigest()}  {path}\n" for path in paths]
            assert component["hashes"][0]["content"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_component_says_what_it_needs_and_its_license(document: Json) -> None:
    named = {each["name"]: each for each in document["components"]}
    needs = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    assert named["markupsafe"]["purl"] in needs[named["jinja2"]["purl"]]
    assert named["jinja2"]["purl"] in needs[named["hotdash"]["purl"]]
    assert named["hotdash"]["licenses"] == [{"expression": "Apache-2.0"}]
    assert named["jinja2"]["licenses"]


def described(project: Project, metadata: str, built: int | None = None) -> Json:
    files = {"abacus-1.4.dist-info/METADATA": f"Metadata-Version: 2.4\nName: abacus\nVersion: 1.4\n{metadata}".encode()}
    runtime = Distribution("hotdash", "0.1.0", {})
    document: Json = json.loads(bill_of_materials(project, runtime, [Distribution("abacus", "1.4", files)], built))
    return document


@pytest.mark.parametrize(
    ("metadata", "licenses"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: ignored\n", [{"expression": "MIT OR Apache-2.0"}]),
        ("Classifier: License :: OSI Approved :: MIT License\n", [{"license": {"name": "MIT License"}}]),
        ("License: BSD\n", [{"license": {"name": "BSD"}}]),
        ("", None),
    ],
)
def test_the_license_is_the_one_that_the_distribution_declares(
    tmp_path: Path, metadata: str, licenses: list[Json] | None
) -> None:
    document = described(read_project(write_project(tmp_path)), metadata)
    (abacus,) = (each for each in document["components"] if each["name"] == "abacus")
    assert abacus.get("licenses") == licenses


def test_the_document_names_the_time_of_a_build_only_if_it_was_given(tmp_path: Path) -> None:
    project = read_project(write_project(tmp_path))
    assert "timestamp" not in described(project, "")["metadata"]
    assert described(project, "") == described(project, "")
    dated = described(project, "", 1764368814)
    assert dated["metadata"]["timestamp"] == "2025-11-28T22:26:54Z"
    assert dated["serialNumber"] != described(project, "")["serialNumber"]
