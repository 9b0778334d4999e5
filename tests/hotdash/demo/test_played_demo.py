"""The demonstration follows the given example, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples" / "fil"


@pytest.fixture
def edited_fil(tmp_path: Path) -> Path:
    """A copy of fil with another text, another colour, another version name and a short cycle."""
    copy = tmp_path / "fil"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    for path in copy.rglob("*"):
        if path.is_file():
            text = path.read_text()
            text = (
                text.replace("Hello #2", "Hello #7")
                .replace("1986.b", "2042.z")
                .replace("cycle_time = 4.0", "cycle_time = 1.5")
            )
            text = text.replace('"red"', '"teal"').replace("def red(", "def teal(")
            path.write_text(text)
    return copy


def private(tmp_path: Path) -> dict[str, str]:
    """An environment in which all remaining files are in one folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "HOME": str(tmp_path)}
    environment.pop("NODE_RUNTIME_RUN_DIR", None)
    return environment


def play(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hotdash", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=private(tmp_path),
        timeout=240,
        check=False,
    )


def nothing_is_left(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    assert [path.name for path in scratch.iterdir()] == []
    left = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(scratch) in " ".join(p.info["cmdline"] or ())
    ]
    assert left == []


@pytest.mark.slow
def test_the_story_follows_an_edited_copy_of_fil(edited_fil: Path, tmp_path: Path) -> None:
    done = play(tmp_path, "--examples", str(edited_fil))
    assert done.returncode == 0, done.stdout + done.stderr
    story = done.stdout
    for told in (
        "fil-2042.z.tar.gz",
        "Hello #1",
        "Hello #7",
        "olive",
        "green",
        "lime",
        "teal",
        "fil_color_fsm is in state lime, which release 2042.z does not define",
        "gen_statem(state='teal', data={})",
        "gen_statem(state='orange', data={steps: 0})",
        "code_change",
        "fil_sup",
        "point of no return",
    ):
        assert told in story, f"{told!r} is not in the story:\n{story}"
    assert "Hello #2" not in story
    assert "red" not in story.split()
    assert "1986.b" not in story.replace("build 1986.b ", ""), "only the folder still has the old name"
    nothing_is_left(tmp_path)


def test_a_busy_port_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = play(tmp_path, "--port", str(port))
    assert done.returncode == 1
    sentence = done.stderr.strip()
    assert str(port) in sentence
    assert len(sentence.splitlines()) == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout == "", "it is found out before anything is built"
    nothing_is_left(tmp_path)
    assert "`hotdash demo --port 0` chooses a free port." in sentence


def test_an_interrupted_demo_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hotdash", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=private(tmp_path),
    ) as demo:
        assert demo.stdout is not None
        while "starts the node" not in demo.stdout.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGINT
    assert said == "The demonstration was stopped; its node and its folders were removed.\n"
    nothing_is_left(tmp_path)


def test_a_demo_that_is_cut_off_while_it_builds_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hotdash", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=private(tmp_path),
    ) as demo:
        while not any((tmp_path / "scratch").rglob("node-runtime-build-*")):
            assert demo.poll() is None
        demo.send_signal(signal.SIGHUP)
    assert demo.returncode == 128 + signal.SIGHUP
    nothing_is_left(tmp_path)


def test_a_demo_that_can_not_print_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hotdash", "demo"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=private(tmp_path),
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "hotdash failed: No space left on device.\n"
    nothing_is_left(tmp_path)
