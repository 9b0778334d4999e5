"""A node's folder against another user of the machine, and signals against a process id that was used again."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nodes.built_once import own_file
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, is_gone, node, running, stopped_afterwards, tarballs
from tests.support.waiting import until

__all__ = ["node", "running", "tarballs"]

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a second user")

LOCK_ALL = """
import fcntl, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
held = []
for folder, _, names in os.walk(sys.argv[1]):
    for path in (folder, *(os.path.join(folder, name) for name in names)):
        try:
            held.append(os.open(path, os.O_RDONLY))
            fcntl.flock(held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            continue
print(len(held), flush=True)
sys.stdin.read()
"""


def open_up(node: TinyNode) -> None:
    """Let all users reach and read the node's folder, as an older release has left it."""
    for path in (node.directory, *node.directory.rglob("*")):
        if "etc" not in path.relative_to(node.directory).parts:
            if path.is_file() and path.stat().st_nlink > 1:
                own_file(path)
            path.chmod(0o755 if path.is_dir() else 0o644)
    node.script.chmod(0o755)
    for folder in node.directory.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)


def modes(folder: Path) -> dict[str, int]:
    """The modes that other users could use, by path."""
    found = {str(path.relative_to(folder)): path.lstat().st_mode & 0o077 for path in (folder, *folder.rglob("*"))}
    return {path: mode for path, mode in found.items() if mode}


def test_everything_that_install_and_a_node_write_is_private(tarballs: dict[str, Path], tmp_path: Path) -> None:
    node = TinyNode(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    command("sh", "-c", f"umask 000; node-runtime install {tarballs['1.0']} {node.directory}", env=node.environment)
    with stopped_afterwards(node):
        command("sh", "-c", f"umask 000; {node.script} start", env=node.environment)
        node.tiny("unpack", tarballs["2.0"])
        node.tiny("upgrade", "--yes", "2.0")
        node.tiny("commit")
        assert modes(node.directory) == {}
        assert modes(tmp_path / "run") == {}


def test_a_folder_that_was_open_to_others_is_closed_and_that_is_logged(node: TinyNode) -> None:
    open_up(node)
    node.tiny("start")
    assert node.directory.stat().st_mode & 0o777 == 0o700
    assert f"{node.directory} was open to other users; its mode is now 0700." in node.log


@pytest.mark.slow  # the test above closes a folder in the same way
def test_a_tarball_that_was_unpacked_by_hand_is_closed_to_others(tarballs: dict[str, Path], tmp_path: Path) -> None:
    with stopped_afterwards(TinyNode(tmp_path)) as node:
        (tmp_path / "run").mkdir(mode=0o700)
        node.directory.mkdir()
        subprocess.run(["tar", "-xzf", tarballs["1.0"], "-C", node.directory], check=True)
        node.directory.chmod(0o755)
        node.tiny("start")
        assert node.directory.stat().st_mode & 0o777 == 0o700


@needs_root
def test_another_user_opens_no_file_of_a_node_and_holds_no_lock(running: TinyNode) -> None:
    for folder in running.directory.parents:
        if folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)
    with Locker(running.directory) as (opened, _):
        assert opened == 0
        os.kill(running.pid() or 0, signal.SIGKILL)
        until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")


@needs_root
def test_locks_that_another_user_got_before_the_folder_was_closed_keep_no_node_down(running: TinyNode) -> None:
    running.tiny("stop")
    for lock in set((running.directory / "var").glob("*.lock")) - {running.directory / "var/parent.lock"}:
        lock.unlink()  # an older release has no such file
    open_up(running)
    with Locker(running.directory) as (opened, _):
        assert opened > 10
        done = running.tiny("start", code=None)
        # The other user can open the old lock file, but it is replaced by one that only the owner can open.
        assert done.returncode == 0, done.stderr


@needs_root
def test_a_folder_of_another_user_is_not_started(node: TinyNode) -> None:
    os.chown(node.directory, NOBODY, NOBODY)
    assert "belongs to another user" in node.tiny("start", code=1).stderr


def test_no_signal_reaches_a_process_that_got_the_id_of_the_parent(running: TinyNode) -> None:
    parent, pid = running.parent["pid"], running.pid()
    assert isinstance(parent, int)
    os.kill(parent, signal.SIGKILL)
    until(lambda: is_gone(pid or 0), "the node's end")
    with subprocess.Popen(["sleep", "60"]) as innocent, (running.directory / "var/parent.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = running.directory / "var/parent.json"
        state.write_text(json.dumps({**running.parent, "pid": innocent.pid}))
        for verb in ("stop", "restart"):
            assert "no signal was sent" in running.tiny(verb, code=1).stderr
        state.write_text(json.dumps({key: value for key, value in running.parent.items() if key != "began"}))
        assert "no signal was sent" in running.tiny("stop", code=1).stderr
        assert innocent.poll() is None
        innocent.kill()


def test_a_parent_from_before_the_status_had_its_begin_can_be_stopped(running: TinyNode) -> None:
    state = running.directory / "var/parent.json"
    state.write_text(json.dumps({key: value for key, value in running.parent.items() if key != "began"}))
    assert running.tiny("stop").stdout == f"{NAME} is stopped.\n"


class Locker:
    """A process of a second user that opens and locks everything below a folder that it can open."""

    def __init__(self, directory: Path) -> None:
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
        pipe = subprocess.PIPE
        line = (python, "-I", "-c", LOCK_ALL, str(directory))
        self._process = subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline()), self._process.pid

    def __exit__(self, *ignored: object) -> None:
        self._process.kill()
        self._process.communicate()
