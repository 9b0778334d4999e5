"""The keys of people: made, rotated and revoked in files, from which the key ring is read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from node_runtime.protocol.cookie import Cookie, cookie_path, make_keys, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.key_files import key_files_state, read_key_ring
from node_runtime.protocol.key_ring import RingKey
from node_runtime.protocol.key_rotation.key_changes import KeyChanges
from node_runtime.protocol.local_user import os_user
from node_runtime.protocol.wire import pack, unpack

HOUR = 3600.0


class Keys:
    """The keys of a node's directory, and the cookies that were handed over."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cookies: list[Cookie] = []
        self.changes = KeyChanges(directory, self.cookies.append)

    def holder(self, cookie: Cookie, after: float = 0.0) -> str | None:
        """Whose cookie it is, in the ring of the files, so many seconds from now."""
        key = read_key_ring(self.directory).holder(zmq.curve_public(cookie.secret), time.time() + after)
        return None if key is None else f"{key.name}:{key.role}"

    def default(self, role: str = "operator") -> Cookie:
        return read_cookie(self.directory / "etc/cookies" / role)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    make_keys(tmp_path)
    return Keys(tmp_path)


def test_the_default_cookies_have_the_names_of_their_roles(keys: Keys) -> None:
    assert keys.holder(keys.default("operator")) == "operator:operator"
    assert keys.holder(keys.default("viewer")) == "viewer:viewer"
    assert keys.holder(Cookie("operator", zmq.curve_keypair()[1], b"")) is None


def test_the_node_keeps_only_the_public_key_of_a_person_in_a_private_file(keys: Keys, tmp_path: Path) -> None:
    keys.changes.make("ana", "operator")
    (cookie,) = keys.cookies
    assert keys.holder(cookie) == "ana:operator"
    path = tmp_path / "etc/keys/people/ana.json"
    (stored,) = json.loads(path.read_text())["keys"]
    assert (stored["role"], stored["by"]) == ("operator", os_user())
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    secret = cookie.line().split(":")[2]
    assert [one for one in tmp_path.rglob("*") if one.is_file() and secret in one.read_text()] == []


@pytest.mark.parametrize(
    "name", ["", "operator", "viewer", "node", "probation", "Ana", "a/b", "..", ".a", "é", "a\n", "a" * 33]
)
def test_a_name_that_could_be_mistaken_or_leaves_the_folder_is_refused(keys: Keys, name: str) -> None:
    with pytest.raises(Refused) as caught:
        keys.changes.make(name, "viewer")
    assert caught.value.code == ExitCode.USAGE
    assert keys.cookies == []


def test_a_second_first_key_is_refused_with_the_remedy(keys: Keys) -> None:
    keys.changes.make("ana", "viewer")
    with pytest.raises(Refused, match=r"--rotate --for ana.*--revoke ana"):
        keys.changes.make("ana", "operator")


def test_a_rotated_key_is_accepted_until_the_grace_time_ends(keys: Keys) -> None:
    keys.changes.make("ana", "viewer")
    keys.changes.rotate("ana", HOUR)
    old, new = keys.cookies
    assert [keys.holder(old), keys.holder(new)] == ["ana:viewer", "ana:viewer"]
    assert [keys.holder(old, HOUR + 1), keys.holder(new, HOUR + 1)] == [None, "ana:viewer"]
    keys.changes.rotate("ana", 0.0)
    assert [keys.holder(cookie) for cookie in keys.cookies] == [None, None, "ana:viewer"]


def test_a_key_can_end_by_itself(keys: Keys) -> None:
    keys.changes.make("guest", "viewer", time.time() + HOUR)
    assert [keys.holder(keys.cookies[0], after) for after in (0.0, HOUR + 1)] == ["guest:viewer", None]


def test_a_revoked_key_ends_at_once_and_its_name_can_be_used_again(keys: Keys) -> None:
    keys.changes.make("ana", "operator")
    keys.changes.rotate("ana", HOUR)
    keys.changes.revoke("ana")
    assert [keys.holder(cookie) for cookie in keys.cookies] == [None, None]
    known = read_key_ring(keys.directory).known(zmq.curve_public(keys.cookies[0].secret))
    assert known is not None
    assert known.name == "ana"
    with pytest.raises(Refused, match="has no valid key"):
        keys.changes.revoke("ana")
    with pytest.raises(Refused, match="has no valid key"):
        keys.changes.rotate("ana", 0.0)
    keys.changes.make("ana", "viewer")
    assert [keys.holder(cookie) for cookie in keys.cookies] == [None, None, "ana:viewer"]


def test_the_default_key_of_a_role_is_rotated_and_its_cookie_replaced(keys: Keys) -> None:
    old = keys.default()
    keys.changes.rotate("operator", HOUR)
    assert keys.default() == keys.cookies[0] != old
    assert keys.holder(keys.default()) == "operator:operator"
    assert [keys.holder(old), keys.holder(old, HOUR + 1)] == ["operator:operator", None]
    assert keys.holder(keys.default("viewer")) == "viewer:viewer"


def test_a_revoked_default_key_opens_nothing_not_even_a_node_that_reads_no_ring(keys: Keys) -> None:
    cookie = keys.default("viewer")
    keys.changes.revoke("viewer")
    assert keys.holder(cookie) is None
    assert not cookie_path(keys.directory, "viewer").exists()
    assert zmq.curve_public(cookie.secret) not in make_keys(keys.directory).roles
    keys.changes.rotate("viewer", 0.0)
    assert keys.holder(keys.default("viewer")) == "viewer:viewer"
    assert keys.holder(cookie) is None


def test_the_last_operators_key_is_only_revoked_by_force(keys: Keys) -> None:
    keys.changes.make("bob", "viewer")
    with pytest.raises(Refused, match="--force"):
        keys.changes.revoke("operator")
    keys.changes.make("ana", "operator")
    keys.changes.revoke("operator")
    with pytest.raises(Refused, match="--force"):
        keys.changes.revoke("ana")
    keys.changes.revoke("ana", even_the_last=True)
    assert {key.name for key in read_key_ring(keys.directory).keys if key.is_valid(time.time())} == {"bob", "viewer"}


@pytest.mark.parametrize("kept", ["etc/keys/operator", "etc/cookies/operator"])
def test_an_interrupted_rotation_of_a_default_key_is_completed_by_repeating_it(keys: Keys, kept: str) -> None:
    """The interruption is between the first write, which decides, and the write of the other file."""
    old = keys.default()
    before = (keys.directory / kept).read_text()
    keys.changes.rotate("operator", 0.0)
    (keys.directory / kept).write_text(before)
    keys.changes.rotate("operator", 0.0)
    assert keys.default() == keys.cookies[-1]
    assert [keys.holder(cookie) for cookie in (old, *keys.cookies)] == [None, None, "operator:operator"]


@pytest.mark.parametrize("damage", ["damaged", "{}", '{"name": "bob", "keys": []}', '{"name":"ana","keys":[],"x":1}'])
def test_damaged_keys_shut_out_only_their_holder(keys: Keys, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    keys.changes.make("ana", "operator")
    keys.changes.make("bob", "viewer")
    (keys.directory / "etc/keys/people/ana.json").write_text(damage)
    assert [keys.holder(cookie) for cookie in keys.cookies] == [None, "bob:viewer"]
    assert keys.holder(keys.default()) == "operator:operator"
    assert "clients with the key of ana are refused" in caplog.text


def test_keys_that_another_user_may_write_are_refused(keys: Keys) -> None:
    keys.changes.make("ana", "operator")
    (keys.directory / "etc/keys/people/ana.json").chmod(0o620)
    assert keys.holder(keys.cookies[0]) is None


def test_a_cookie_that_could_not_be_handed_over_opens_nothing(keys: Keys) -> None:
    lost: list[Cookie] = []

    def fail(cookie: Cookie) -> None:
        lost.append(cookie)
        raise Refused("The disk is full.")

    with pytest.raises(Refused, match="disk is full"):
        KeyChanges(keys.directory, fail).make("ana", "operator")
    assert keys.holder(lost[0]) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_another_user_can_not_make_keys_that_the_node_could_not_read(keys: Keys) -> None:
    os.chown(keys.directory, 4321, 4321)
    with pytest.raises(Refused, match="belongs to the user 4321") as caught:
        keys.changes.make("ana", "operator")
    assert caught.value.code == ExitCode.NOT_ALLOWED


def test_each_change_of_the_files_changes_their_state(keys: Keys) -> None:
    seen = [key_files_state(keys.directory)]
    changes: list[Callable[[], str]] = [
        lambda: keys.changes.make("ana", "operator"),
        lambda: keys.changes.rotate("ana", 0.0),
        lambda: keys.changes.rotate("viewer", 0.0),
        lambda: keys.changes.revoke("ana"),
    ]
    for change in changes:
        change()
        seen.append(key_files_state(keys.directory))
    assert len(set(seen)) == len(seen)


def test_a_ring_travels_as_a_message(keys: Keys) -> None:
    keys.changes.make("ana", "operator", time.time() + HOUR)
    ring = read_key_ring(keys.directory)
    assert unpack(pack(ring), type(ring)) == ring
    assert RingKey(zmq.curve_public(keys.cookies[0].secret), "ana", "operator", ring.keys[-1].until) in ring.keys
