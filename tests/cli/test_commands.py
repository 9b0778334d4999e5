"""The `node-runtime` command: its output and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.support.nodes.fil_node import command, environment
from tests.support.nodes.tiny_node import ANOTHER_PAGE
from tests.support.projects.tiny_project import write_project


def node_runtime(*words: object, code: int = 0, program: Path | str = "node-runtime") -> str:
    done = command(program, *words, env=environment(Path.cwd()), code=code)
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


def test_build_prints_the_tarball_and_install_says_what_to_do_next(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    program = Path(shutil.which("node-runtime", path=environment(tmp_path)["PATH"]) or "")  # as a user starts it
    tarball = node_runtime("build", project, program=program).strip()
    assert tarball == str(project / "_build" / "tiny-1.0.tar.gz")
    directory = tmp_path / "node"
    assert f"`{directory}/bin/tiny start`" in node_runtime("install", tarball, directory)
    assert f"{project} is neither empty nor a node's directory" in node_runtime("install", tarball, project, code=1)


def test_a_build_prints_its_difference_and_a_relup_is_the_same_from_folders_and_from_tarballs(tmp_path: Path) -> None:
    older = write_project(tmp_path / "older")
    newer = write_project(tmp_path / "newer", "2.0", ANOTHER_PAGE)
    tarballs = [node_runtime("build", older, "--output", tmp_path).strip(), f"{tmp_path}/tiny-2.0.tar.gz"]
    built = command(
        "node-runtime", "build", newer, "--output", tmp_path, "--from", tarballs[0], env=environment(tmp_path)
    )
    assert built.stdout.strip() == tarballs[1]
    assert "Difference to tiny-1.0.tar.gz (" in built.stderr
    assert "\n  application tiny 1.0 -> 2.0: app.toml, new appup.toml, priv/pages/hello.html, src/" in built.stderr
    made = json.loads(node_runtime("relup", "--from", older, "--to", newer, "--json"))
    assert made == json.loads(node_runtime("relup", "--from", tarballs[0], "--to", tarballs[1], "--json"))
    assert (made["from"], made["to"]) == ("1.0", "2.0")
    assert made["up"] == made["down"] or made["up"][1:] == made["down"][1:]
    assert "appup.toml is missing" in node_runtime("build", older, "--from", tarballs[1], code=1)
    text = node_runtime("relup", "--from", older, "--to", newer)
    assert text.startswith("up: 1.0 to 2.0\n")
    assert '["point_of_no_return"]' in text


def test_a_folder_without_a_project_and_an_unknown_command_are_one_sentence(tmp_path: Path) -> None:
    assert (
        node_runtime("build", tmp_path, code=1)
        == f"{tmp_path}/release.toml can't be read: No such file or directory.\n"
    )
    assert "No such command" in node_runtime("dance", code=2)
    assert "corrupt" in node_runtime("install", __file__, tmp_path / "node", code=1)
