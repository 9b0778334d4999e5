"""The bill of materials of a release, as a CycloneDX 1.6 document: applications, runtime and third-party code.

Equal releases have equal documents: nothing in a document comes from a clock or from chance.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from packaging.metadata import parse_email

from node_runtime.releases.files.manifest import sha256, this_platform, this_python

from .content_hash import content_sha256
from .distributions import Distribution
from .project import AppSource, Project


def bill_of_materials(
    project: Project, runtime: Distribution, third_party: Iterable[Distribution], built: int | None
) -> bytes:
    """Return the document of a release that was built at `built`, in Unix seconds.

    A component's hash is the `content_sha256` of its files.
    """
    release = project.release
    distributions = (runtime, *third_party)
    root = _generic_purl(release.name, release.vsn)
    apps = {app.app.name: _app_ref(app) for app in project.apps}
    libraries = {each.name: _pypi_purl(each) for each in distributions}
    dependencies = {
        root: sorted({*apps.values(), *libraries.values()}),
        **{_app_ref(app): sorted(apps[name] for name in app.app.applications if name in apps) for app in project.apps},
        **{_pypi_purl(each): sorted(libraries[name] for name in each.needs) for each in distributions},
    }
    metadata: dict[str, Any] = {
        "component": {
            "type": "application",
            "bom-ref": root,
            "name": release.name,
            "version": release.vsn,
            "purl": root,
        },
        "properties": [
            {"name": "node_runtime:python", "value": this_python()},
            {"name": "node_runtime:platform", "value": this_platform()},
        ],
    }
    if built is not None:
        metadata["timestamp"] = datetime.fromtimestamp(built, UTC).isoformat().replace("+00:00", "Z")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": [
            *(_app_component(app) for app in project.apps),
            *(_library_component(each) for each in sorted(distributions, key=lambda each: each.name)),
        ],
        "dependencies": [{"ref": ref, "dependsOn": needed} for ref, needed in sorted(dependencies.items())],
    }
    serial = uuid.UUID(hex=sha256(msgspec.json.encode(document))[:32], version=5)
    return (
        msgspec.json.format(msgspec.json.encode({**document, "serialNumber": f"urn:uuid:{serial}"}), indent=1) + b"\n"
    )


def _app_component(app: AppSource) -> dict[str, Any]:
    return _component("application", _app_ref(app), app.app.name, app.app.vsn, app.files)


def _library_component(distribution: Distribution) -> dict[str, Any]:
    ref = _pypi_purl(distribution)
    component = _component("library", ref, distribution.name, distribution.version, distribution.files)
    licenses = _licenses(distribution)
    return {**component, "licenses": licenses} if licenses else component


def _component(kind: str, ref: str, name: str, version: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "type": kind,
        "bom-ref": ref,
        "name": name,
        "version": version,
        "purl": ref,
        "hashes": [{"alg": "SHA-256", "content": content_sha256(files)}],
    }


def _licenses(distribution: Distribution) -> list[dict[str, Any]]:
    """Return what the distribution's METADATA says of its license: an expression, else classifiers, else a name."""
    data = next((data for path, data in distribution.files.items() if path.endswith(".dist-info/METADATA")), b"")
    described, _ = parse_email(data)
    if expression := described.get("license_expression"):
        return [{"expression": expression}]
    classifiers = [text for text in described.get("classifiers", ()) if text.startswith("License :: ")]
    names = sorted({text.rpartition(" :: ")[2] for text in classifiers} - {"OSI Approved"})
    text = described.get("license", "").strip()
    if not names and text and "\n" not in text:
        names = [text]
    return [{"license": {"name": name}} for name in names]


def _pypi_purl(distribution: Distribution) -> str:
    return f"pkg:pypi/{quote(distribution.name)}@{quote(distribution.version)}"


def _generic_purl(name: str, vsn: str) -> str:
    return f"pkg:generic/{quote(name)}@{quote(vsn)}"


def _app_ref(app: AppSource) -> str:
    return f"{_generic_purl(app.app.name, app.app.vsn)}?kind=application"
