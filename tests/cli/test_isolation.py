"""bin/<name> in an environment and a folder that could change which code it runs, or break its messages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.matrix import slow
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, install, node, running, stopped_afterwards, tarballs

__all__ = ["node", "running", "tarballs"]

EVIL = "import os\nos.write(1, b'EVIL\\n')\n"


@pytest.mark.parametrize("module", ["json", "sitecustomize", "_launcher", *slow("pathlib", "usercustomize", "fcntl")])
def test_no_module_on_pythonpath_or_beside_the_script_is_executed(node: TinyNode, module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(EVIL)
    if module != "_launcher":
        (node.script.parent / f"{module}.py").write_text(EVIL)
    environment = {**node.environment, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / f"{module}.py")}
    done = run(node, environment, "cookie")
    assert done.stdout.startswith("hotdash1:operator:")
    assert "EVIL" not in done.stdout + done.stderr


@pytest.mark.parametrize("setting", [{"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}, {"HOME": "", "LANG": "C"}])
def test_a_node_starts_in_any_environment_of_python(node: TinyNode, setting: dict[str, str]) -> None:
    environment = node.environment | setting
    assert run(node, environment, "start").returncode == 0
    assert NAME in run(node, environment, "status").stdout
    assert run(node, environment, "stop").stdout == f"{NAME} is stopped.\n"


def test_a_bytecode_file_in_the_launcher_is_not_executed(node: TinyNode) -> None:
    folder = node.script.parent / "_launcher"
    verbs = folder / "verbs.py"
    text = verbs.read_text()
    verbs.write_text(EVIL)
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", folder], check=True
    )
    verbs.write_text(text)
    assert "EVIL" not in node.tiny("cookie").stdout


@pytest.mark.parametrize("shell", ["sh", "bash", "python3", *slow("dash")])
def test_the_script_runs_in_each_shell_and_in_python(node: TinyNode, shell: str) -> None:
    program = shutil.which(shell, path=node.environment["PATH"])
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        (program, node.script, "cookie"), env=node.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("hotdash1:operator:")


def test_without_python_the_script_says_what_it_needs(node: TinyNode, tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        (shell, node.script, "status"), env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"{node.script} needs python3; install it on PATH.\n")


def test_relative_links_to_the_script_run_the_same_node(node: TinyNode, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "first").symlink_to(os.path.relpath(node.script, links))
    (links / "second").symlink_to("first")
    done = subprocess.run(
        ("./second", "cookie"), cwd=links, env=node.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == node.tiny("cookie").stdout


@pytest.mark.parametrize(
    "name",
    [
        b"'\"$x`",
        b"line\nbreak",
        # Each of these has less that a shell or a file could misread.
        *(pytest.param(name, marks=pytest.mark.slow) for name in (b"a b", b"-I", "Zoë".encode())),
    ],
)
def test_a_folder_with_an_odd_name_has_a_working_node(tarballs: dict[str, Path], tmp_path: Path, name: bytes) -> None:
    node = install(tarballs["1.0"], Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))
    environment = node.environment | {"NODE_RUNTIME_RUN_DIR": str(tmp_path / "run")}
    with stopped_afterwards(TinyNode(node.folder, neighbour=tmp_path)):
        for verb, word in (("start", "runs 1.0"), ("ping", "pong"), ("status", NAME), ("stop", "is stopped")):
            done = run(node, environment, verb)
            assert (word in done.stdout, done.returncode) == (True, 0), done.stderr
        down = run(node, environment, "ping")
        assert (down.returncode, down.stderr[: len(NAME)]) == (3, NAME)


def test_a_folder_whose_name_is_not_utf_8_is_refused_in_a_sentence(tarballs: dict[str, Path], tmp_path: Path) -> None:
    made = install(tarballs["1.0"], tmp_path / "tiny")
    node = TinyNode(made.folder.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xc3")))
    done = run(node, node.environment, "start")
    said = f"The path '{tmp_path}/\\udcff\\udcc3/node' of the node is not UTF-8; rename its folder.\n"
    assert (done.returncode, done.stderr) == (1, said)
    installed = command("node-runtime", "install", tarballs["1.0"], f"{node.folder}-2", env=node.environment, code=1)
    assert "is not UTF-8; choose another folder." in installed.stderr


def test_a_run_directory_with_a_line_break_is_refused(node: TinyNode, tmp_path: Path) -> None:
    done = run(node, node.environment | {"NODE_RUNTIME_RUN_DIR": f"{tmp_path}/a\nb"}, "start")
    assert done.returncode == 1
    assert "line break" in done.stderr


def run(node: TinyNode, environment: dict[str, str], verb: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (node.script, verb),
        env=environment,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
    )
