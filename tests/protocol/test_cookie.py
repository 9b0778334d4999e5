"""Keys and cookies: made once, private, and never thought up by people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import zmq

from node_runtime.protocol.cookie import ROLES, cookie_path, make_keys, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused


def private(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path


def test_keys_are_made_once_and_only_the_owner_can_read_them(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    assert make_keys(tmp_path) == keys
    assert sorted(keys.roles.values()) == sorted(ROLES)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "etc").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "etc").iterdir()} == {0o700}


def test_a_cookie_is_one_line_that_opens_its_node_in_its_role(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    for role in ROLES:
        cookie = read_cookie(cookie_path(tmp_path, role))
        assert re.fullmatch(rf"hotdash1:{role}:[\w-]{{43}}:[\w-]{{43}}", cookie.line())
        assert cookie.server == keys.public
        assert keys.roles[zmq.curve_public(cookie.secret)] == role
        assert read_cookie(private(tmp_path / role, f"{cookie.line()}\n")) == cookie


def test_a_secret_does_not_show_by_accident(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    cookie = read_cookie(cookie_path(tmp_path, "operator"))
    assert cookie.secret.decode() not in repr(cookie)
    assert keys.secret.decode() not in repr(keys)


@pytest.mark.parametrize(
    "text",
    [
        "fil123",
        "",
        "hotdash1:operator:fil123:fil123",
        "hotdash1:admin:" + "a" * 43 + ":" + "a" * 43,
        "hotdash2:operator:" + "a" * 43 + ":" + "a" * 43,
        "hotdash1:operator:" + "a" * 44 + ":" + "a" * 43,
        "hotdash1:operator:" + "ä" * 43 + ":" + "a" * 43,
        "hotdash1:operator:" + "a" * 43,
    ],
)
def test_a_cookie_that_no_node_made_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_cookie(private(tmp_path / "cookie", text))
    assert caught.value.code == ExitCode.NOT_ALLOWED
    assert "bin/<name> cookie" in caught.value.sentence
    assert not text or text not in caught.value.sentence


def test_a_cookie_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path)
    path = cookie_path(tmp_path, "viewer")
    path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600") as caught:
        read_cookie(path)
    assert caught.value.code == ExitCode.NOT_ALLOWED


def test_a_cookie_file_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be read") as caught:
        read_cookie(tmp_path / "none")
    assert caught.value.code == ExitCode.NOT_ALLOWED


def test_a_damaged_key_names_its_file(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "etc" / "keys" / "viewer").write_text("damaged")
    with pytest.raises(Refused, match="etc/keys/viewer"):
        make_keys(tmp_path)
