"""The replacement of a node's own key: at its time, and complete also after an interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node_runtime.protocol.cookie import cookie_path, key_text, make_keys, parse_key, read_cookie
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_rotation.node_key import plan_next_key, read_next_key, replace_key_if_due
from node_runtime.protocol.private_files import write_private

HOUR = 3600.0


def test_before_its_time_a_planned_key_changes_nothing(tmp_path: Path) -> None:
    before = make_keys(tmp_path)
    assert read_next_key(tmp_path) is None
    assert not replace_key_if_due(tmp_path)
    following = plan_next_key(tmp_path, HOUR)
    assert read_next_key(tmp_path) == following
    assert not replace_key_if_due(tmp_path)
    assert make_keys(tmp_path) == before
    assert (tmp_path / "etc/keys/server.next").stat().st_mode & 0o777 == 0o600


def test_at_its_time_it_replaces_the_key_and_both_default_cookies_know_it(tmp_path: Path) -> None:
    before = make_keys(tmp_path)
    cookie_path(tmp_path, "viewer").unlink()  # revoked
    operator = read_cookie(cookie_path(tmp_path, "operator"))
    following = plan_next_key(tmp_path, 0)
    assert replace_key_if_due(tmp_path)
    after = make_keys(tmp_path)
    assert (key_text(after.public), after.roles) == (following.public, before.roles)
    assert read_cookie(cookie_path(tmp_path, "operator")) == replace(operator, server=after.public)
    assert not cookie_path(tmp_path, "viewer").exists()
    assert not replace_key_if_due(tmp_path)


@pytest.mark.parametrize("done", ["one cookie", "both cookies", "the key"])
def test_an_interrupted_replacement_is_completed_by_the_next(tmp_path: Path, done: str) -> None:
    make_keys(tmp_path)
    following = plan_next_key(tmp_path, 0)
    for role in ("operator", "viewer") if done != "one cookie" else ("operator",):
        path = tmp_path / "etc/cookies" / role
        write_private(path, replace(read_cookie(path), server=parse_key(following.public)).line() + "\n")
    if done == "the key":
        write_private(tmp_path / "etc/keys/server", following.secret + "\n")
    assert replace_key_if_due(tmp_path)
    assert key_text(make_keys(tmp_path).public) == following.public
    for path in (tmp_path / "etc/cookies").iterdir():
        assert key_text(read_cookie(path).server) == following.public
    assert read_next_key(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", '{"secret": "x", "at": 1}', '{"secret": 1}', "\0" * 100])
def test_a_damaged_next_key_is_refused_and_the_present_key_stays(tmp_path: Path, content: str) -> None:
    before = make_keys(tmp_path)
    write_private(tmp_path / "etc/keys/server.next", content)
    with pytest.raises(Refused, match=r"server.next can't be read .* remove the file"):
        replace_key_if_due(tmp_path)
    assert make_keys(tmp_path) == before


def test_a_next_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path)
    plan_next_key(tmp_path, 0)
    (tmp_path / "etc/keys/server.next").chmod(0o644)
    with pytest.raises(Refused, match="is open to other users"):
        replace_key_if_due(tmp_path)
