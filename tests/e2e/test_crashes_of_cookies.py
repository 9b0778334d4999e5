"""Cookies: killed at each step of their making, rotation and revocation, or with a failing disk, a retry completes it.

Each key is whole, and the audit log stays a chain.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import zmq

from node_runtime.cli import local
from node_runtime.protocol.cookie import ROLES, cookie_path, make_keys, read_cookie
from node_runtime.protocol.key_files import read_key_ring
from tests.support.faults.crash_points import CrashPoint, Operation, crash_points, run_once
from tests.support.faults.durability import lost_by_power_cuts
from tests.support.faults.injector import FAULTS

NAME: Final = "r@127.0.0.1"
EVERY: Final = int(os.environ.get("CRASH_POINTS_EVERY", "11"))
"""One of so many crash points is tried."""
DEFAULT_FILES: Final = {
    f"etc/{name}" for name in ("keys/server", *(f"{of}/{role}" for of in ("keys", "cookies") for role in ROLES))
}


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    return folder


def names(folder: Path) -> set[str]:
    """The files of keys and cookies."""
    return {path.relative_to(folder).as_posix() for path in (folder / "etc").rglob("*") if path.is_file()}


def failed_clearly(point: CrashPoint) -> bool:
    """Returns whether the process was killed, or has said that its work failed."""
    return point.run.ended == ("killed" if point.fault == "kill" else "refused")


def cookie(*options: str) -> Operation:
    """The command with these options."""

    def run(folder: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            local.main(["cookie", str(folder), NAME, *options])

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_the_first_keys_of_a_node_are_made_whole_or_again(before: Path, fault: str) -> None:
    for point in crash_points(cookie(), before, fault, EVERY):
        assert failed_clearly(point), point
        assert run_once(cookie(), point.folder).ended == "done", point
        server = make_keys(point.folder).public
        assert {read_cookie(cookie_path(point.folder, role)).server for role in ROLES} == {server}
        assert names(point.folder) == DEFAULT_FILES, point


def test_the_first_keys_of_a_node_survive_a_power_cut(before: Path) -> None:
    *_, (_, lost) = lost_by_power_cuts(run_once(cookie(), before).steps)
    assert lost == frozenset()


def valid(folder: Path, name: str) -> int:
    """The number of valid keys of a person."""
    now = time.time()
    return sum(key.name == name and key.is_valid(now) for key in read_key_ring(folder).keys)


def default_works(folder: Path) -> bool:
    """Returns whether the node accepts its default operator's cookie."""
    secret = read_cookie(cookie_path(folder, "operator")).secret
    return read_key_ring(folder).holder(zmq.curve_public(secret), time.time()) is not None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("options", "is_done", "files"),
    [
        (
            ("--rotate", "--grace", "0"),
            lambda folder: valid(folder, "operator") == 1,
            {"etc/keys/people/operator.json"},
        ),
        (("--for", "ana"), lambda folder: valid(folder, "ana") == 1, {"etc/keys/people/ana.json"}),
        (("--rotate", "--for", "bob", "--grace", "0"), lambda folder: valid(folder, "bob") == 1, set()),
        (("--revoke", "bob"), lambda folder: valid(folder, "bob") == 0, set()),
    ],
    ids=["rotate the default", "make", "rotate", "revoke"],
)
def test_an_interrupted_change_of_a_key_is_completed_by_repeating_it(
    before: Path, fault: str, options: tuple[str, ...], is_done: Callable[[Path], bool], files: set[str]
) -> None:
    cookie("--for", "bob")(before)
    for point in crash_points(cookie(*options), before, fault, EVERY):
        if "audit" not in point.step.path:
            assert failed_clearly(point), point
        was_done = is_done(point.folder)
        again = run_once(cookie(*options), point.folder)
        assert again.ended == "done" or was_done, (point, again)
        assert is_done(point.folder), point
        assert default_works(point.folder), point
        assert names(point.folder) == {*DEFAULT_FILES, "etc/keys/people/bob.json", *files}, point
        local.main(["audit", str(point.folder), NAME, "--verify"])


def test_a_rotated_cookie_survives_a_power_cut(before: Path) -> None:
    cookie()(before)
    *_, (_, lost) = lost_by_power_cuts(run_once(cookie("--rotate"), before).steps)
    assert {path for path in lost if not path.startswith(str(before / "var"))} == set()
