"""Links that work once, sessions that end, and requests of other sites."""

from __future__ import annotations

import pytest

from hotdash.serve.access import LINK_SECONDS, MAX_SESSIONS, SESSION_SECONDS, Access

ORIGIN = "http://127.0.0.1:8777"


def token(link: str) -> str:
    return link.partition("token=")[2]


def entered(access: Access) -> str:
    session = access.enter(token(access.new_link()))
    assert session is not None
    return session


def test_a_link_works_once() -> None:
    access = Access(ORIGIN)
    link = access.new_link()
    assert link.startswith(f"{ORIGIN}/enter?token=")
    assert access.enter(token(link)) is not None
    assert access.enter(token(link)) is None


@pytest.mark.parametrize("guess", ["", "x", "é", "0" * 43])
def test_no_other_token_works_even_when_there_is_no_link(guess: str) -> None:
    access = Access(ORIGIN)
    assert access.enter(guess) is None
    link = access.new_link()
    assert access.enter(guess) is None
    assert access.enter(token(link)) is not None
    assert access.enter("") is None


def test_a_new_link_replaces_the_earlier_one() -> None:
    access = Access(ORIGIN)
    first, second = access.new_link(), access.new_link()
    assert access.enter(token(first)) is None
    assert access.enter(token(second)) is not None


def test_links_and_sessions_end() -> None:
    now = [0.0]
    access = Access(ORIGIN, clock=lambda: now[0])
    link = access.new_link()
    now[0] = LINK_SECONDS + 1
    assert access.enter(token(link)) is None
    session = entered(access)
    assert access.is_session(session)
    now[0] += SESSION_SECONDS + 1
    assert not access.is_session(session)


def test_sessions_are_bounded_and_the_oldest_ends_first() -> None:
    access = Access(ORIGIN)
    sessions = [entered(access) for _ in range(MAX_SESSIONS + 1)]
    assert not access.is_session(sessions[0])
    assert all(access.is_session(session) for session in sessions[1:])
    assert not access.is_session("")
    assert not access.is_session("é")


@pytest.mark.parametrize(
    ("host", "origin", "required", "refused"),
    [
        ("127.0.0.1:8777", None, False, False),
        ("127.0.0.1:8777", ORIGIN, True, False),
        ("127.0.0.1:8777", None, True, True),  # a websocket of a browser always has an origin
        ("127.0.0.1:8777", "null", False, True),
        ("127.0.0.1:8777", "http://127.0.0.1:9999", False, True),
        ("127.0.0.1:8777", "https://127.0.0.1:8777", False, True),
        ("evil.example:8777", None, False, True),  # a name of another site that leads to this address
        ("localhost:8777", None, False, True),
        ("", None, False, True),
    ],
)
def test_requests_of_other_sites_are_refused(host: str, origin: str | None, required: bool, refused: bool) -> None:
    assert bool(Access(ORIGIN).refusal(host, origin, origin_required=required)) is refused


def test_behind_a_proxy_with_https_the_cookie_is_secure() -> None:
    access = Access("https://fil.example.org")
    assert access.secure
    assert not Access(ORIGIN).secure
    assert access.refusal("fil.example.org", "https://fil.example.org", origin_required=True) == ""
