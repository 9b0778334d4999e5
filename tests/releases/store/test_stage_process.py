"""The process that reads a tarball has limits, gets nothing of the node but the tarball, and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store.process_limits import MAX_MEMORY_BYTES, MAX_OPEN_FILES
from node_runtime.releases.store.unpack import unpack
from tests.support.os_processes import command_line
from tests.support.projects.handmade_release import handmade_tarball, manifest_of, members, packed
from tests.support.waiting import until

SLOW = {"releases/1/sys.toml": b"a" + b".a" * 300_000 + b" = 1"}
"""A file for which Python's TOML parser needs hours."""


def refusal(tarball: Path, directory: Path) -> str:
    with pytest.raises(Refused) as refused:
        unpack(tarball, directory)
    assert not directory.exists()
    return refused.value.sentence


def test_a_file_that_takes_long_to_parse_is_refused(tmp_path: Path) -> None:
    sentence = refusal(handmade_tarball(tmp_path / "r.tar.gz", files=SLOW), tmp_path / "node")
    assert sentence.startswith("r.tar.gz can't be staged: its TOML files and appups take too much processor time")


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("sys.toml", "[a]\nx = " + "9" * 5000, "a number has too many digits"),
        ("sys.toml", "x" * (1 << 21), "limit 1,048,576"),
        ("node.toml", "name = 'r'", "line 1: name must be a node's name"),
        ("node.toml", "name = 'r@h'\ncookie = 'x'", "must not contain a cookie"),
        ("release.toml", "name = 'r'\nvsn = '1'\napps = " + "[" * 3000 + "]" * 3000, "nested more than 50 deep"),
        ("release.toml", "name = 'r'\nvsn = '2'\napps = []", "belongs to r 2, but the manifest belongs to r 1"),
        ("release.toml", "name = 'r'\nvsn = '1'\napps = ['b']", "lists other applications than the manifest"),
    ],
)
def test_each_file_is_parsed_before_anything_is_recorded(tmp_path: Path, file: str, text: str, sentence: str) -> None:
    tarball = handmade_tarball(tmp_path / "r.tar.gz", files={f"releases/1/{file}": text.encode()})
    found = refusal(tarball, tmp_path / "node")
    assert sentence in found
    assert found.startswith(f"r.tar.gz can't be staged: releases/1/{file}")


@pytest.mark.parametrize("missing", ["releases/1/release.toml", "releases/1/node.toml"])
def test_a_release_without_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    files = {
        "releases/1/release.toml": b'name = "r"\nvsn = "1"\napps = []\n',
        "releases/1/node.toml": b'name = "r@127.0.0.1"\n',
    }
    del files[missing]
    tarball = packed(tmp_path / "r.tar.gz", members(manifest_of("1", files), files))
    assert f"Its file {missing} is missing." in refusal(tarball, tmp_path / "node")


def test_a_pipe_in_place_of_a_tarball_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.tar.gz")
    assert refusal(tmp_path / "r.tar.gz", tmp_path / "node") == "r.tar.gz can't be unpacked: it is not a regular file."


def test_a_process_that_the_system_kills_is_not_said_to_have_used_too_much_processor_time(tmp_path: Path) -> None:
    tarball = handmade_tarball(tmp_path / "r.tar.gz", files=SLOW)
    with ThreadPoolExecutor(1) as pool:
        staged = pool.submit(refusal, tarball, tmp_path / "node")
        until(lambda: any(_reads_tarball(one) for one in psutil.Process().children()), "the process")
        (reading,) = [one for one in psutil.Process().children() if _reads_tarball(one)]
        reading.kill()
    assert staged.result().startswith("r.tar.gz can't be staged: the process that reads it was killed; if the system's")


def _reads_tarball(process: psutil.Process) -> bool:
    return any("stage_child" in word for word in command_line(process))


def test_a_process_that_reaches_its_processor_time_ends_by_another_signal_than_one_that_is_killed() -> None:
    code = "import os; from node_runtime.releases.store.process_limits import limit_process as limit\n"
    code += "limit(1, os.getppid())\nwhile True: pass"
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == -signal.SIGXCPU


def opened_files(pid: int) -> list[str]:
    """The paths of the descriptors of the process; those that it closes meanwhile are left out."""
    opened = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            opened.append(os.readlink(link))
    return opened


def test_the_process_gets_only_the_tarball_and_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    tarball = handmade_tarball(tmp_path / "r.tar.gz", files=SLOW)
    code = "import sys; from pathlib import Path; from node_runtime.releases.store.unpack import unpack; "
    code += "secret = open(sys.argv[3]); unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    (tmp_path / "key").write_text("secret")
    command = (sys.executable, "-c", code, tarball, tmp_path / "node", tmp_path / "key")
    with subprocess.Popen(command, env={**os.environ, "PASSWORD": "hunter2"}) as parent:
        try:
            until(
                lambda: any((tmp_path / "node/var/staging").glob("unpack-*/manifest.json")),
                "the process that reads the tarball",
            )
            (child,) = psutil.Process(parent.pid).children()
            assert "PASSWORD" not in child.environ()
            until(lambda: str(tarball) in opened_files(child.pid), "the tarball's descriptor in that process")
            opened = opened_files(child.pid)
            assert str(tmp_path / "key") not in opened
            assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
            assert child.rlimit(psutil.RLIMIT_AS)[1] == MAX_MEMORY_BYTES
            assert child.rlimit(psutil.RLIMIT_NOFILE)[1] == MAX_OPEN_FILES
        finally:
            parent.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the end of the process")
