"""Another user of the machine tries to keep a node down, and to take its place: locks, run directories and ports."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_runtime.protocol import methods
from node_runtime.protocol.cookie import cookie_path, read_cookie
from tests.support.attacks import local_attacks, victim
from tests.support.attacks.attacked_node import AttackedNode
from tests.support.attacks.other_user import NOBODY, as_other_user, needs_root, while_other_user
from tests.support.nodes.tiny_node import NAME

pytestmark = needs_root

VICTIM = 64_917
"""A user id that no account of the machine has, for a run directory in /tmp of its own."""


@contextlib.contextmanager
def fixed_port(node: AttackedNode, port: int) -> Iterator[None]:
    """The node listens on a port that an attacker knows."""
    node.tiny.set("node.toml", f'listen = "127.0.0.1:{port}"\n')
    try:
        yield
    finally:
        (node.directory / "etc/node.toml").unlink()


def test_a_lock_on_the_directory_of_a_stopped_node(stopped: AttackedNode) -> None:
    paths = [
        str(stopped.directory),
        *(str(stopped.directory / name) for name in ("var", "etc", "etc/keys", "releases")),
    ]
    with while_other_user(local_attacks.hold_locks, paths) as held:
        done = stopped.start()
        assert done.returncode == 0, done.stderr
    assert held[0] == []


def test_a_lock_on_the_lock_files_of_a_stopped_node(stopped: AttackedNode) -> None:
    locks = [stopped.directory / "var/parent.lock", *stopped.tiny.run_directory.glob("*.lock")]
    with while_other_user(local_attacks.hold_locks, [str(path) for path in locks]) as held:
        done = stopped.start()
        assert done.returncode == 0, done.stderr
    assert held[0] == []


def test_a_lock_on_every_file_of_a_crashed_node(node_under_attack: AttackedNode) -> None:
    node = node_under_attack
    node.ensure_up()
    for process in reversed(node.processes):
        process.kill()
        process.wait()
    paths = [str(path) for path in (node.directory, *node.directory.rglob("*")) if "lib" not in path.parts]
    with while_other_user(local_attacks.hold_locks, paths) as held:
        done = node.start()
        assert done.returncode == 0, done.stderr
    assert held[0] == []


def test_a_process_with_the_pid_of_a_node_that_crashed(node_under_attack: AttackedNode) -> None:
    """The record names the pid of a dead parent, which a process of somebody else may have got since."""
    node = node_under_attack
    node.ensure_up()
    for process in reversed(node.processes):
        process.kill()
        process.wait()
    state = node.directory / "var/parent.json"
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        with while_other_user(local_attacks.hold_locks, [str(node.directory / "var/parent.lock")]):
            state.write_text(state.read_text().replace(f'"pid": {node.tiny.parent["pid"]}', f'"pid": {bystander.pid}'))
            done = node.run("stop")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("", "it belongs to the user nobody"),
        ("/etc", "it is a symbolic link"),
        (f"/tmp/node_runtime-{VICTIM}-elsewhere", "it is a symbolic link"),
    ],
    ids=["folder", "link", "dead link"],
)
def test_a_run_directory_that_is_there_already(target: str, why: str) -> None:
    path = f"/tmp/node_runtime-{VICTIM}"
    as_other_user(local_attacks.squat_folder, path, target, uid=NOBODY)
    try:
        refusal = as_other_user(victim.use_run_directory, path, uid=VICTIM)
    finally:
        if Path(path).is_symlink():
            Path(path).unlink()
        else:
            Path(path).rmdir()
    assert refusal == (
        f"The run directory {path} is not used, because {why}; have it removed, or set NODE_RUNTIME_RUN_DIR to a "
        f"directory that only you can use."
    )
    assert not Path(f"{path}-elsewhere").exists()


def test_a_run_directory_that_is_open_to_others() -> None:
    path = f"/tmp/node_runtime-{VICTIM}"
    as_other_user(local_attacks.squat_folder, path, "", uid=VICTIM)
    try:
        assert "other users may use it (mode 0777)" in as_other_user(victim.use_run_directory, path, uid=VICTIM)
    finally:
        Path(path).rmdir()


def test_records_that_were_planted_while_the_run_directory_was_open(node_under_attack: AttackedNode) -> None:
    """The owner closes the directory again and keeps what is in it. A false record would lead to a false node."""
    node = node_under_attack
    node.ensure_up()
    run = node.tiny.run_directory
    false, link = run / "false@127.0.0.1.json", run / "link@127.0.0.1.json"
    false.write_text((run / f"{NAME}.json").read_text().replace("tiny@", "false@"))
    link.symlink_to(run / f"{NAME}.json")
    for planted in (false, link):
        os.lchown(planted, NOBODY, NOBODY)
    listed = node.tiny.hotdash("nodes").stdout
    assert NAME in listed
    assert "false@" not in listed
    assert "link@" not in listed
    for planted in (false, link):
        assert f"No node named {planted.stem} runs here" in node.tiny.hotdash("status", planted.stem, code=3).stderr
        planted.unlink()


def test_a_false_node_on_the_port_of_a_stopped_one(stopped: AttackedNode) -> None:
    """A client with a cookie knows the node's key, so it refuses another one and tells it nothing."""
    stopped.ensure_up()
    record = (stopped.tiny.run_directory / "tiny@127.0.0.1.json").read_bytes()
    port = stopped.record.port
    cookie = read_cookie(cookie_path(stopped.directory, "operator"))
    stopped.stop()
    remote = f"tiny@127.0.0.1:{port}"
    cookie_file = cookie_path(stopped.directory, "operator")
    with while_other_user(local_attacks.impersonate, port) as seen:
        assert seen[0] is True
        done = stopped.tiny.hotdash("status", remote, "--cookie-file", cookie_file, code=None)
    assert done.returncode in (3, 4), done.stdout
    assert record
    sent = "".join(seen[1])
    for secret in (cookie.secret, cookie_file.read_bytes()[:60], b"hello", b"operator"):
        assert secret.hex() not in sent


def test_a_port_that_somebody_else_has_taken(stopped: AttackedNode, unused_tcp_port: int) -> None:
    with fixed_port(stopped, unused_tcp_port):
        with while_other_user(local_attacks.impersonate, unused_tcp_port) as seen:
            assert seen[0] is True
            done = stopped.start()
            assert done.returncode == 1
            assert str(unused_tcp_port) in done.stderr
        assert seen[1] == []


def test_talking_without_keys(attacked: AttackedNode) -> None:
    """No mechanism but CURVE leads further than the greeting, and CURVE needs a known key."""
    answers = as_other_user(local_attacks.talk_without_keys, attacked.record.port)
    assert set(answers.values()) <= {""}


def test_a_thousand_silent_connections(attacked: AttackedNode) -> None:
    with while_other_user(local_attacks.open_connections, attacked.record.port, 1100, "") as opened:
        assert opened[0] > 0
        for _ in range(3):
            attacked.ask(methods.PING)
        assert attacked.tiny.tiny("ping").stdout == "pong\n"
        node = next(process for process in attacked.processes if process.pid == attacked.record.os_pid)
        assert node.num_fds() < 300


def test_a_thousand_half_greetings(attacked: AttackedNode) -> None:
    greeting = (b"\xff" + bytes(7) + b"\x01\x7f\x03").hex()
    with while_other_user(local_attacks.open_connections, attacked.record.port, 1000, greeting):
        attacked.ask(methods.PING)
        assert attacked.log().count("\n") < 2000


def test_the_logs_of_refused_strangers_stay_small(attacked: AttackedNode) -> None:
    before = len(attacked.log()), len(b"".join(attacked.audit_lines()))
    for _ in range(3):
        with while_other_user(local_attacks.open_connections, attacked.record.port, 300, b"GET / HTTP/1.1\r\n".hex()):
            attacked.ask(methods.PING)
    after = len(attacked.log()), len(b"".join(attacked.audit_lines()))
    assert after[0] - before[0] < 20_000
    assert after[1] - before[1] < 20_000
