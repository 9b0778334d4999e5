"""bin/<name> cookie and audit: one key per person, their end, and what the audit log has of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from node_runtime.cli.local import main
from node_runtime.protocol.local_user import os_user
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import NAME, TinyNode, node, running, tarballs
from tests.support.waiting import until

__all__ = ["node", "running", "tarballs"]

STOP = """
import asyncio, sys
from node_runtime.protocol import methods, messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate

async def stop():
    async with Client.connect(locate(sys.argv[1]), user="ann", client_name="test") as client:
        await client.request(methods.STOP, m.StopNode(reason="ticket 7"))

asyncio.run(stop())
"""


class Local:
    """Runs the verbs as a launcher does, for a node that is down."""

    def __init__(self, directory: Path, output: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.output = output

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Return what the verb prints; if `code` is not 0, the message on stderr."""
        self.output.readouterr()
        try:
            main([str(words[0]), str(self.directory), NAME, *map(str, words[1:])])
            exited: object = 0
        except SystemExit as leaving:
            exited = leaving.code
        out, err = self.output.readouterr()
        assert exited == code, err
        return err if code else out


@pytest.fixture
def local(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Local:
    directory = tmp_path / "node"
    directory.mkdir()
    return Local(directory, capsys)


def audit(directory: Path) -> list[dict[str, Any]]:
    """The entries, without those about the keys that a node has noticed, which come at any time."""
    lines = (directory / "var/audit.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["method"] != "keys"]


# ------------------------------------------------------------------ a node that runs


def test_each_person_has_a_cookie_that_works_at_once_and_ends_by_a_word(running: TinyNode, tmp_path: Path) -> None:
    out = tmp_path / "ana.cookie"
    assert running.tiny("cookie", "--for", "ana", "--role", "operator", "--out", out).stdout == ""
    as_ana = ("--cookie-file", out)
    until(lambda: running.hotdash("remove", NAME, "9.9", *as_ana, code=None).returncode == 1, "a node that knows ana")
    entries = json.loads(running.hotdash("audit", NAME, "--limit", "20", "-o", "json").stdout)
    entry = [entry for entry in entries if entry["method"] == "remove"][-1]  # refused logins are counted afterwards
    assert (entry["who"], entry["role"]) == ("ana", "operator")
    assert entry["claim"].endswith(f"@{os.uname().nodename}")
    table = running.hotdash("audit", NAME).stdout
    assert all(word in table for word in ("who", "claim", "ana", "127.0.0.1", "cookie_make", "local"))
    running.tiny("cookie", "--revoke", "ana")
    until(lambda: running.hotdash("status", NAME, *as_ana, code=None).returncode == 4, "a node that refuses ana")
    assert "intact" in running.hotdash("audit", NAME, "--verify").stdout


def test_the_nodes_own_key_is_replaced_without_a_restart(running: TinyNode, tmp_path: Path) -> None:
    boot = running.hotdash("status", NAME, "-o", "json").stdout
    former = tmp_path / "former.cookie"
    running.tiny("cookie", "--out", former)
    done = running.tiny("cookie", "--rotate-node-key", "--grace", "0")
    assert f"replace the text after the last colon by {done.stdout.strip()}" in done.stderr
    assert running.tiny("cookie").stdout.strip().endswith(f":{done.stdout.strip()}")
    until(lambda: running.hotdash("status", NAME, code=None).returncode == 0, "a node with its new key")
    after = running.hotdash("status", NAME, "-o", "json").stdout
    assert json.loads(after)["info"]["boot_id"] == json.loads(boot)["info"]["boot_id"]
    refused = running.hotdash("status", NAME, "--cookie-file", former, code=4).stderr
    assert "This cookie belongs to another node, or to a former key of tiny@127.0.0.1" in refused


def test_boots_ends_crashes_and_offline_installs_are_in_the_audit_log(
    node: TinyNode, tarballs: dict[str, Path]
) -> None:
    node.tiny("start")
    before = node.parent["boots"]
    psutil.Process(node.parent["node_pid"]).send_signal(signal.SIGKILL)
    until(lambda: node.parent["boots"] > before and node.parent["phase"] == "running", "another boot")
    node.tiny("restart")
    command("python", "-c", STOP, NAME, env=node.environment)
    until(lambda: node.tiny("pid", code=None).returncode == 3, "the end of the node")
    command("node-runtime", "install", tarballs["2.0"], node.directory, env=node.environment)
    bad = node.folder / "bad.tar.gz"
    bad.write_bytes(b"no tarball")
    command("node-runtime", "install", bad, node.directory, env=node.environment, code=1)
    entries = audit(node.directory)
    assert [(entry["method"], entry["phase"], entry["who"], entry.get("outcome", "")[:40]) for entry in entries] == [
        ("boot", "event", "node", "no previous run is recorded"),
        ("boot", "event", "node", entries[1]["outcome"][:40]),
        ("end", "event", "node", "signal SIGHUP"),
        ("boot", "event", "node", "the previous run ended: restart, signal "),
        ("stop", "intent", "operator", ""),
        ("stop", "outcome", "operator", "done"),
        ("end", "event", "node", "an operator's request"),
        ("install", "intent", os_user(), ""),
        ("install", "outcome", os_user(), "unpacked release 2.0"),
        ("install", "intent", os_user(), ""),
        ("install", "outcome", os_user(), entries[10]["outcome"][:40]),
    ]
    assert "signal 9" in entries[1]["outcome"]
    assert entries[10]["outcome"].startswith("refused: ")
    assert "intact" in node.tiny("audit", "--verify").stdout


# ------------------------------------------------------------------ a node that is down


def test_a_cookie_can_go_to_a_new_file_that_only_its_owner_can_read(local: Local, tmp_path: Path) -> None:
    out = tmp_path / "ana.cookie"
    assert local.run("cookie", "--for", "ana", "--role", "viewer", "--out", out) == ""
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().startswith("hotdash1:viewer:")
    assert "exists already" in local.run("cookie", "--for", "bob", "--out", out, code=1)
    assert "exists already" in local.run("cookie", "--out", out, code=1)
    out.unlink()
    out.symlink_to(tmp_path / "elsewhere")
    assert "exists already" in local.run("cookie", "--for", "bob", "--out", out, code=1)
    assert not (tmp_path / "elsewhere").exists()


def test_the_list_has_each_key_with_its_state_and_no_secret(local: Local) -> None:
    secrets = [local.run("cookie", "--for", "ana", "--days", "2"), local.run("cookie", "--for", "bob")]
    local.run("cookie", "--revoke", "bob")
    secrets.append(local.run("cookie", "--rotate"))
    listed = local.run("cookie", "--list")
    rows = [(line.split()[0], line.split(os_user(), 1)[-1].strip()) for line in listed.splitlines()[1:]]
    assert [name for name, _ in rows] == ["viewer", "operator", "operator", "ana", "bob"]
    assert rows[2][1] == "valid"
    assert rows[3][1].startswith("valid for 172,")
    assert rows[4][1] == "revoked"
    assert [secret for secret in secrets if secret.split(":")[2] in listed] == []


def test_a_rotated_default_cookie_is_the_one_that_is_printed_from_then_on(local: Local) -> None:
    former = local.run("cookie")
    rotated = local.run("cookie", "--rotate", "--grace", "0")
    assert rotated == local.run("cookie") != former
    assert "--force" in local.run("cookie", "--revoke", "operator", code=1)
    local.run("cookie", "--revoke", "operator", "--force")
    assert "--rotate --role operator" in local.run("cookie", code=4)
    assert local.run("cookie", "--role", "viewer").startswith("hotdash1:viewer:")


@pytest.mark.parametrize(
    "words",
    [
        ("--for", "Ana"),
        ("--for", "operator"),
        ("--for", "ana", "--days", "nan"),
        ("--role", "king"),
        ("--rotate", "--for", "ana", "--role", "viewer"),
        ("--rotate", "--grace", "-1"),
        ("--rotate", "--list"),
    ],
)
def test_wrong_words_are_wrong_usage_and_make_no_key(local: Local, words: tuple[str, ...]) -> None:
    local.run("cookie", *words, code=2)
    assert not (local.directory / "etc/keys/people").exists()


def test_each_change_of_a_key_has_an_intent_and_an_outcome_with_the_os_user(local: Local) -> None:
    local.run("cookie", "--for", "ana")
    local.run("cookie", "--for", "ana", code=1)
    local.run("cookie", "--rotate", "--for", "ana")
    local.run("cookie", "--revoke", "ana")
    entries = audit(local.directory)
    assert [(entry["method"], entry["phase"]) for entry in entries] == [
        (f"cookie_{verb}", phase) for verb in ("make", "make", "rotate", "revoke") for phase in ("intent", "outcome")
    ]
    assert [entry["outcome"].split()[0] for entry in entries[1::2]] == ["made", "refused:", "made", "ended"]
    assert {(entry["who"], entry["role"]) for entry in entries} == {(os_user(), "local")}


def test_a_rewritten_log_fails_the_verification_with_the_heads_of_its_anchor(local: Local, tmp_path: Path) -> None:
    anchor, saved = tmp_path / "heads", tmp_path / "saved"
    anchor.touch()
    (local.directory / "etc").mkdir()
    (local.directory / "etc/node.toml").write_text(f'audit_anchor = "{anchor}"\n')
    local.run("cookie", "--for", "ana")
    assert "intact: 2 entries" in local.run("audit", "--verify")
    newest = json.loads(local.run("audit", "--limit", "1"))
    assert (newest["method"], newest["phase"], newest["seq"]) == ("cookie_make", "outcome", 2)
    for path in ("var/audit.jsonl", "var/audit.head"):
        (local.directory / path).unlink()
    saved.write_text(anchor.read_text())
    anchor.write_text("")
    local.run("cookie", "--for", "bob")
    assert "intact" in local.run("audit", "--verify")
    said = local.run("audit", "--verify", "--anchor", saved, code=1)
    assert "line 1: this line was changed after the anchor had recorded it" in said
    assert "can't be read" in local.run("audit", "--verify", "--anchor", tmp_path / "missing", code=1)
