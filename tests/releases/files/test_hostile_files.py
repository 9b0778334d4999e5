"""TOML files and manifests that are made to harm: each is refused with a sentence, and with bounded effort."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    decode_manifest,
    manifest_path,
    read_manifest,
    sha256,
)
from node_runtime.releases.files.schemas import read_environment
from tests.support.projects.handmade_release import manifest_of

HOSTILE_TOML: dict[str, tuple[bytes, str]] = {
    "5,000 digits": (b"[a]\nx = " + b"9" * 5000, "a number has too many digits"),
    "5,000 hexadecimal digits": (b"[a]\nx = 0x" + b"f" * 5000, "line 2: an integer has at most 64 bits"),
    "65 bits": (b"[a]\nx = 9223372036854775808", "line 2: an integer has at most 64 bits"),
    "3,000 brackets": (b"[a]\nx = " + b"[" * 3000 + b"]" * 3000, "nested more than 50 deep"),
    "brackets without end": (b"[a]\nx = " + b"[" * 100_000, "nested more than 50 deep"),
    "a key of 60 parts": (b"a" + b".a" * 60 + b" = 1", "nested more than 50 deep"),
    "too large": (b"#" * (1 << 20) + b"\n", "limit 1,048,576"),
    "not UTF-8": (b"[a]\nx = '\xff'", "it is not UTF-8"),
    "a surrogate": (b'[a]\nx = "\\ud800"', "not valid TOML"),
    "a date that is none": (b"[a]\nx = 2026-99-99", "not valid TOML"),
}


@pytest.mark.parametrize("kind", HOSTILE_TOML)
def test_a_hostile_toml_file_is_refused(tmp_path: Path, kind: str) -> None:
    data, sentence = HOSTILE_TOML[kind]
    path = tmp_path / "sys.toml"
    path.write_bytes(data)
    with pytest.raises(Refused) as refused:
        read_environment(path)
    assert sentence in refused.value.sentence
    assert len(refused.value.sentence) < 500


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "releases/1/manifest.json"
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(Refused, match=r"manifest\.json is damaged: it is not a regular file"):
        read_manifest(tmp_path, "1")
    make(tmp_path / "sys.toml")
    with pytest.raises(Refused, match=r"sys\.toml can't be read: it is not a regular file"):
        read_environment(tmp_path / "sys.toml")


def manifest(paths: tuple[str, ...] = (), **changes: Any) -> Manifest:
    return msgspec.structs.replace(manifest_of("1", dict.fromkeys(paths, b"")), **changes)


def app(module: str, path: str, name: str = "a") -> AppEntry:
    return AppEntry(name=name, vsn="1", modules={module: ModuleEntry(path=path, sha256=sha256(b""))})


LIBRARY = "lib/x-1/library.py"


@pytest.mark.parametrize(
    ("tampered", "sentence"),
    [
        (manifest(("lib/a-1/json.py", LIBRARY), path=("lib/x-1", "lib/a-1")), "instead of the json of the node"),
        (manifest(("lib/a-1/os/__init__.py",), path=("lib/a-1",)), "instead of the os of the node"),
        (manifest(("lib/a-1/_ssl.cpython-311-x86_64-linux-gnu.so",), path=("lib/a-1",)), "instead of the _ssl"),
        (manifest(("lib/a-1/b/json.py",), path=("lib/a-1/b",)), "instead of the json of the node"),
        (
            manifest(
                ("lib/node_runtime-1/node_runtime/x.py", "lib/node_runtime-2/node_runtime/x.py"),
                path=("lib/node_runtime-1", "lib/node_runtime-2"),
            ),
            "instead of the node_runtime of the node",
        ),
        (manifest((LIBRARY,), path=("lib/x-1", "lib/x-1")), "a folder for sys.path twice"),
        (
            manifest(("lib/a-1/src/json.py",), apps=(app("json", "lib/a-1/src/json.py"),)),
            "json is a module of the node",
        ),
        (manifest(("lib/a-1/src/b.py",), apps=(app("a", "lib/a-1/src/b.py"),)), "not at its place in a"),
        (manifest(("lib/a-1/src/a/b.py",), apps=(app("a/b", "lib/a-1/src/a/b.py"),)), "not at its place in a"),
        (
            manifest(apps=(app("_launcher.x", "lib/a-1/src/_launcher/x.py"),)),
            "_launcher is a module of the node",
        ),
        (manifest(apps=(app("a", "lib/a-1/src/a.py"),) * 2), "it lists an application twice"),
        (
            manifest(apps=(app("a", "lib/a-1/src/a.py"), app("a", "lib/b-1/src/a.py", "b"))),
            "its module a is in two applications, a and b",
        ),
        (
            manifest(("lib/a-1/x.py",), path=("lib/a-1",), apps=(app("a", "lib/a-1/src/a.py"),)),
            "which is for libraries",
        ),
        (
            manifest(("lib/a-1/priv/b/x.py",), path=("lib/a-1/priv/b",), apps=(app("a", "lib/a-1/src/a.py"),)),
            "which is for libraries",
        ),
        (manifest(vsn="record.json"), "which is the name of a file of the node"),
        (manifest(vsn="Record.JSON"), "which is the name of a file of the node"),
        (manifest(apps=(app("\uff4fs", "lib/a-1/src/\uff4fs.py"),)), "os is a module of the node"),
        (manifest(("lib/a-1/\uff4ason.py",), path=("lib/a-1",)), "instead of the json of the node"),
        (manifest(("lib/a-1/b", "lib/a-1/b/c")), "can't keep apart"),
        (manifest(("lib/a-1/B.py", "lib/a-1/b.py")), "can't keep apart"),
        (manifest(("lib/a-1/B/c.py", "lib/a-1/b/d.py")), "can't keep apart"),
        (manifest(("lib/a-1/straße", "lib/a-1/STRASSE")), "can't keep apart"),
        (manifest(("lib/a-1/\u00e9", "lib/a-1/e\u0301")), "can't keep apart"),
        (manifest(("lib/loose.py",)), "not an allowed path"),
        (manifest(("lib/a-1/\u202egpj.py",)), "not an allowed path"),
        (manifest(tuple(f"lib/a{number}/x" for number in range(2001))), "more than 2,000 folders"),
        (manifest(files={"lib/a-1/x": FileEntry(size=5 << 30, sha256="")}), "more than 4 GiB"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(tampered: Manifest, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^it") as error:
        decode_manifest(tampered.encoded())
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{" + b" " * (17 << 20) + b"}",
        b'{"schema": ' + b"9" * 5000 + b"}",
        json.dumps({"name": "r", "vsn": "1" * 600}).encode(),
        b"\xff\xfe",
        b"",
    ],
    ids=["brackets", "braces", "too large", "digits", "a long version", "not UTF-8", "nothing"],
)
def test_a_hostile_manifest_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / manifest_path("1")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(Refused, match=r"manifest\.json is damaged: ") as refused:
        read_manifest(tmp_path, "1")
    assert len(refused.value.sentence) < 500


def test_the_manifest_of_another_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / manifest_path("2")
    path.parent.mkdir(parents=True)
    path.write_bytes(manifest().encoded())
    with pytest.raises(Refused, match="it is the manifest of release 1"):
        read_manifest(tmp_path, "2")
