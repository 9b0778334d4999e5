"""The launcher in bin/: what a tarball may have there, and how a newer release replaces it."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.launcher_files import FILES, LAUNCHER_FOLDER, bin_path
from node_runtime.releases.files.manifest import (
    FileEntry,
    Manifest,
    decode_manifest,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.store.launcher_update import installed_version, update_launcher
from tests.support.sources import ROOT

LAUNCHER = ROOT / LAUNCHER_FOLDER
SCRIPT = (LAUNCHER / "script.py").read_bytes()


def files_of(version: int | None, *more: str) -> dict[str, bytes]:
    """A launcher that only prints its version."""
    first = b"" if version is None else f"VERSION = {version}\n".encode()
    says = f"def main():\n    print('launcher {version}')\n".encode()
    return {"script.py": SCRIPT, "__init__.py": first, "verbs.py": says, **dict.fromkeys(more, b"")}


def release(directory: Path, vsn: str, files: dict[str, bytes], **more: bytes) -> Manifest:
    """A release with this launcher in its lib/, and with the copies in bin/ and `more` files in the manifest."""
    listed = {f"lib/runtime-{vsn}/{LAUNCHER_FOLDER}/{name}": data for name, data in files.items()}
    for path, data in listed.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    listed |= {bin_path("r", name): data for name, data in files.items()} | more
    entries = {path: FileEntry(size=len(data), sha256=sha256(data)) for path, data in listed.items()}
    return Manifest(
        name="r",
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(f"lib/runtime-{vsn}",) if files else (),
        apps=(),
        files=entries,
    )


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node directory that began with version 2."""
    folder = tmp_path / "bin/_launcher"
    folder.mkdir(parents=True)
    (tmp_path / "bin/r").write_bytes(b"the first script")
    for name, data in files_of(2).items():
        (folder / name).write_bytes(data)
    (folder / "script.py").unlink()
    return tmp_path


def said(node: Path) -> str:
    return subprocess.run((node / "bin/r",), capture_output=True, text=True, timeout=60, check=True).stdout


def refusal(manifest: Manifest) -> str:
    with pytest.raises(ValueError, match="not a file of the launcher") as caught:
        decode_manifest(manifest.encoded())
    return str(caught.value)


# ------------------------------------------------------------------ what a tarball may have in bin/


def test_a_release_without_a_runtime_may_have_only_the_usual_files_in_bin(tmp_path: Path) -> None:
    assert set(FILES) == {path.name for path in LAUNCHER.glob("*.py")}
    usual = {bin_path("r", name): b"" for name in FILES}
    manifest = release(tmp_path, "1", {}, **usual)
    assert decode_manifest(manifest.encoded()) == manifest
    assert "json" in refusal(release(tmp_path, "1", {}, **usual, **{"bin/_launcher/json.py": b""}))


def test_the_launcher_of_the_release_itself_is_accepted(tmp_path: Path) -> None:
    manifest = release(tmp_path, "1", files_of(2, "parent.py"))
    assert decode_manifest(manifest.encoded()) == manifest


@pytest.mark.parametrize(
    "path",
    [
        "bin/json.py",
        "bin/other",
        "bin/_launcher/json.py",
        "bin/_launcher/__pycache__/verbs.cpython-311.pyc",
        "bin/_launcher/verbs.pyc",
        "bin/_launcher-3/verbs.py",
        "bin/r.pth",
        "bin/r/x",
    ],
)
def test_any_other_file_in_bin_is_refused(tmp_path: Path, path: str) -> None:
    assert repr(path) in refusal(release(tmp_path, "1", files_of(2), **{path: b""}))


@pytest.mark.parametrize("path", ["bin/r", "bin/_launcher/verbs.py"])
def test_a_launcher_that_differs_from_the_one_in_lib_is_refused(tmp_path: Path, path: str) -> None:
    assert repr(path) in refusal(release(tmp_path, "1", files_of(2), **{path: b"print('EVIL')"}))


# ------------------------------------------------------------------ how a commit replaces it


def test_a_newer_launcher_is_installed_and_runs(node: Path) -> None:
    manifest = release(node, "2", files_of(3, "helper.py"))
    assert update_launcher(node, manifest) == 3
    assert said(node) == "launcher 3\n"
    assert {path.name for path in (node / "bin").iterdir()} == {"r", "_launcher", "_launcher-3"}
    assert {path.name for path in (node / "bin/_launcher-3").iterdir()} == {"__init__.py", "verbs.py", "helper.py"}
    assert (node / "bin/r").stat().st_mode & 0o777 == 0o700
    assert update_launcher(node, manifest) is None


@pytest.mark.parametrize("version", [None, 1, 2])
def test_a_launcher_that_is_not_newer_is_not_installed(node: Path, version: int | None) -> None:
    assert update_launcher(node, release(node, "2", files_of(version))) is None
    assert (node / "bin/r").read_bytes() == b"the first script"


def test_versions_are_numbers_and_only_the_previous_launcher_is_kept(node: Path) -> None:
    for version in (9, 10, 11):
        assert update_launcher(node, release(node, str(version), files_of(version))) == version
    assert said(node) == "launcher 11\n"
    assert {path.name for path in (node / "bin").iterdir()} == {"r", "_launcher", "_launcher-10", "_launcher-11"}


def test_a_launcher_without_a_version_is_older_than_any_with_one(node: Path) -> None:
    (node / "bin/_launcher/__init__.py").write_text('"""The launcher."""\n')
    assert installed_version(node / "bin") == 1
    assert update_launcher(node, release(node, "2", files_of(2))) == 2


def test_a_damaged_launcher_is_not_installed(node: Path) -> None:
    manifest = release(node, "2", files_of(3))
    (node / f"lib/runtime-2/{LAUNCHER_FOLDER}/verbs.py").write_text("print('EVIL')")
    with pytest.raises(Refused, match="differs from the build"):
        update_launcher(node, manifest)
    assert (node / "bin/r").read_bytes() == b"the first script"


class Crash(BaseException):
    """The end of the process at a step on the disk."""


@pytest.mark.parametrize(
    "step", [step if step % 2 else pytest.param(step, marks=pytest.mark.slow) for step in range(20)]
)
def test_after_a_crash_at_any_step_a_launcher_works_and_the_next_try_succeeds(
    node: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node / "bin/r").write_bytes(SCRIPT)
    (node / "bin/r").chmod(0o700)
    manifest = release(node, "2", files_of(3))
    steps = iter(range(step + 1))

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            if next(steps, None) is None:
                raise Crash
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    with monkeypatch.context() as patched:
        monkeypatch = patched
        for name in ("fsync", "replace", "mkdir"):
            counted(name)
        try:
            update_launcher(node, manifest)
        except Crash:
            assert step < 20
    assert said(node) in {"launcher 2\n", "launcher 3\n"}
    update_launcher(node, manifest)
    assert said(node) == "launcher 3\n"


def test_a_full_disk_leaves_the_launcher_that_is_there(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = release(node, "2", files_of(3))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            update_launcher(node, manifest)
    assert (node / "bin/r").read_bytes() == b"the first script"
    assert update_launcher(node, manifest) == 3
