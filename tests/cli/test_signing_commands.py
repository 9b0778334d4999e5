"""The verbs of `node-runtime` that make keys, sign and verify: output, files and exit codes."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import command, environment
from tests.support.projects.signed_release import release
from tests.support.projects.tiny_project import write_project


def node_runtime(*words: object, code: int = 0) -> str:
    done = command("node-runtime", *words, env=environment(Path.cwd()), code=code)
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the key pair `ana`, which has no password."""
    folder = tmp_path / "keys"
    folder.mkdir()
    node_runtime("keys", "new", folder / "ana", "--no-password")
    return folder


def test_a_new_key_is_secret_and_is_not_overwritten(keys: Path) -> None:
    assert stat.S_IMODE((keys / "ana.key").stat().st_mode) == 0o600
    before = (keys / "ana.key").read_bytes()
    assert "ana.key exists already" in node_runtime("keys", "new", keys / "ana", "--no-password", code=1)
    assert (keys / "ana.key").read_bytes() == before
    assert "There is no terminal" in node_runtime("keys", "new", keys / "bob", code=2)
    assert "not a name for a key" in node_runtime("keys", "new", keys / "b b", "--no-password", code=1)
    assert "not a name for a role" in node_runtime("keys", "new", keys / "bob", "--role", "x\ny", code=2)
    assert [path.name for path in sorted(keys.iterdir())] == ["ana.key", "ana.pub"]


def test_what_sign_signs_verify_confirms(keys: Path, tmp_path: Path) -> None:
    tarball, _ = release(tmp_path / "out")
    assert "is not signed" in node_runtime("verify", tarball, "--key", keys / "ana.pub", code=1)
    assert node_runtime("sign", tarball, "--key", keys / "ana.key") == f"{tarball}.minisig\n"
    for option in (("--key", keys / "ana.pub"), ("--keys", keys)):
        assert "r-1.tar.gz is signed by ana (" in node_runtime("verify", tarball, *option)
    assert "Pass either --key or --keys" in node_runtime("verify", tarball, code=2)
    node_runtime("keys", "new", keys / "bob", "--no-password")
    assert "unknown key" in node_runtime("verify", tarball, "--key", keys / "bob.pub", code=1)
    tarball.write_bytes(tarball.read_bytes() + b"\0")
    assert "does not match this file" in node_runtime("verify", tarball, "--key", keys / "ana.pub", code=1)


def test_build_signs_and_a_rebuild_leaves_no_signature_of_another_build(keys: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    tarball = Path(node_runtime("build", project, "--sign", keys / "ana.key", "--expires", "7").strip())
    assert "tiny 1.0, build 20" in node_runtime("verify", tarball, "--key", keys / "ana.pub")
    before = tarball.read_bytes()
    node_runtime("build", project)
    assert tarball.read_bytes() == before
    assert not Path(f"{tarball}.minisig").exists()
    (project / "apps/tiny/priv/pages/hello.html").write_text("Another page")
    done = command("node-runtime", "build", project, env=environment(tmp_path))
    assert f"Warning: {tarball} has replaced a different build of the same vsn." in done.stderr


def test_a_password_comes_from_a_file_or_a_descriptor(tmp_path: Path) -> None:
    tarball, _ = release(tmp_path / "out")
    (tmp_path / "right").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    node_runtime("keys", "new", tmp_path / "ana", "--password-file", tmp_path / "right")
    sign = ("sign", tarball, "--key", tmp_path / "ana.key")
    assert node_runtime(*sign, "--password-file", tmp_path / "wrong", code=1).endswith("ana.key is wrong.\n")
    assert "There is no terminal" in node_runtime(*sign, code=2)
    node_runtime(*sign, "--password-file", tmp_path / "right")
    reader, writer = os.pipe()
    os.write(writer, b"correct horse")
    os.close(writer)
    words = ("node-runtime", *map(str, sign), "--password-file", f"/dev/fd/{reader}")
    done = subprocess.run(words, env=environment(tmp_path), pass_fds=(reader,), capture_output=True, check=False)
    os.close(reader)
    assert done.returncode == 0, done.stderr


def test_a_secret_key_that_others_can_read_is_refused(keys: Path, tmp_path: Path) -> None:
    (keys / "ana.key").chmod(0o644)
    assert "is open to other users (mode 0644)" in node_runtime(
        "sign", release(tmp_path)[0], "--key", keys / "ana.key", code=1
    )


def test_install_with_keys_refuses_what_they_have_not_signed_and_leaves_nothing(keys: Path, tmp_path: Path) -> None:
    tarball, _ = release(tmp_path / "out")
    node = tmp_path / "node"
    assert "it is not signed; the accepted key is ana" in node_runtime("install", tarball, node, "--keys", keys, code=1)
    assert not node.exists()
    node_runtime("sign", tarball, "--key", keys / "ana.key")
    node_runtime("install", tarball, node, "--keys", keys)
    assert [path.name for path in (node / "etc/release-keys").iterdir()] == ["ana.pub"]
    unsigned, _ = release(tmp_path / "out", "2")
    assert "it is not signed" in node_runtime("install", unsigned, node, code=1)
    assert "copy the keys" in node_runtime("install", unsigned, node, "--keys", keys, code=1)


def test_keys_that_lie_in_an_empty_directory_decide_about_its_first_release(keys: Path, tmp_path: Path) -> None:
    tarball, _ = release(tmp_path / "out")
    folder = tmp_path / "node/etc/release-keys"
    folder.mkdir(parents=True)
    (folder / "ana.pub").write_bytes((keys / "ana.pub").read_bytes())
    assert "it is not signed" in node_runtime("install", tarball, tmp_path / "node", code=1)
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["etc"]
    node_runtime("sign", tarball, "--key", keys / "ana.key")
    node_runtime("install", tarball, tmp_path / "node")
