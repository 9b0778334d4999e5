"""Secrets that are planted in a real node: none of them leaves it, by whatever way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import NAME, TinyNode, install, stopped_afterwards, tarball_of
from tests.support.projects.planted_project import BASIC, CHANGES, PLANTED, planted, secret

REASON = f"as agreed, token={secret(46)}"


@pytest.fixture(scope="module")
def planted_tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version."""
    folder = tmp_path_factory.mktemp("planted")
    return {vsn: tarball_of(folder, vsn, planted(vsn)) for vsn in CHANGES}


@pytest.fixture(scope="module")
def told(planted_tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a node with planted secrets has told by each way, until it fails to start."""
    with stopped_afterwards(install(planted_tarballs["1.0"], tmp_path_factory.mktemp("node") / "tiny")) as node:
        return dict(_told(node, planted_tarballs))


def _told(node: TinyNode, tarballs: dict[str, Path]) -> Iterator[tuple[str, str]]:
    node.tiny("start")
    yield from _upgrades(node, tarballs)
    for verb in ("ps", "tree", "events", "audit"):
        yield from _outputs(node, verb, verb, NAME)
    for name in ("vault", "profile", "door", "tiny_sup"):
        yield from _outputs(node, f"state {name}", "state", NAME, name)
    node.tiny("stop")
    node.set("node.toml", 'log = "json"\n')
    node.tiny("start")
    yield "events of a node with JSON in its log", node.hotdash("events", NAME).stdout
    node.tiny("stop")
    node.set("sys.toml", '[tiny]\ngreeting = "explode"\n')
    yield "failing start", node.tiny("start", code=1).stderr
    for path in sorted((node.directory / "var").rglob("*")):
        if path.is_file():
            yield str(path.relative_to(node.directory)), path.read_text(errors="replace")


def _upgrades(node: TinyNode, tarballs: dict[str, Path]) -> Iterator[tuple[str, str]]:
    node.operate("stage", tarballs["2.0"])
    node.operate("stage", tarballs["3.0"])
    yield from _outputs(node, "plan", "plan", NAME, "2.0")
    yield from _outputs(node, "plan that is refused", "plan", NAME, "3.0")
    upgraded = node.hotdash("upgrade", NAME, "2.0", "--yes", "--reason", REASON)
    yield "upgrade", upgraded.stdout + upgraded.stderr
    refused = node.hotdash("upgrade", NAME, "3.0", "--yes", "--unrehearsed", code=None)
    yield "upgrade that is refused", refused.stdout + refused.stderr
    yield from _outputs(node, "results", "results", NAME)
    yield from _outputs(node, "all results", "results", NAME, "--all")


def _outputs(node: TinyNode, title: str, *words: str) -> Iterator[tuple[str, str]]:
    for output in ("table", "json"):
        done = node.hotdash(*words, "-o", output, code=None)
        yield f"{title} as {output}", done.stdout
        yield f"messages of {title} as {output}", done.stderr


def test_no_planted_secret_leaves_the_node(told: dict[str, str]) -> None:
    shown = {
        way: sorted({*PLANTED.findall(text)} | ({BASIC} if BASIC in text else set())) for way, text in told.items()
    }
    assert {way: secrets for way, secrets in shown.items() if secrets} == {}


def test_enough_secrets_are_planted_and_each_way_tells_something(told: dict[str, str]) -> None:
    numbers = {found for vsn in CHANGES for text in planted(vsn).values() for found in PLANTED.findall(text or "")}
    assert len(numbers) >= 44
    silent = {way for way, text in told.items() if not text}
    assert {way for way in silent if not way.startswith("messages of ") and not way.endswith(".lock")} == set()
    assert {"var/log/tiny.log", "var/parent.json"} <= told.keys()
    assert any(way.startswith("var/audit") and "‹redacted›" in text for way, text in told.items())


def test_what_is_no_secret_is_shown(told: dict[str, str]) -> None:
    assert "qwerty" in told["state vault as table"]
    assert "page=2" in told["state vault as table"]
    assert "postgres://ana:‹redacted›@db/shop" in told["state vault as json"]
    log = told["var/log/tiny.log"]
    for sentence in (
        "login failed: password='‹redacted›', user=ana",
        "can't reach postgres://ana:‹redacted›@db",
        "rob(password=‹redacted›, pin=‹redacted›)",
        "thread",
        "GET /x?access_token=‹redacted›&page=2",
        "a message that it doesn't handle",
        "wrong passphrase: ‹redacted›",
    ):
        assert sentence in log, sentence


def test_results_and_plans_say_that_a_secret_has_changed(told: dict[str, str]) -> None:
    (vault,) = (one for one in json.loads(told["results as json"])["results"] if one["name"] == "vault")
    before, after = dict(vault["before"]["items"]), dict(vault["after"]["items"])
    assert before["smtp_password"]["text"] == "‹redacted›"
    assert after["smtp_password"]["text"] == after["pin"]["text"] == "‹redacted, changed›"
    assert after["auth"]["text"] == "‹redacted›"
    changes = {key: (old, new) for key, old, new in json.loads(told["plan as json"])["configuration"]}
    assert changes["tiny.mail.auth"] == ("‹redacted›", "‹redacted, changed›")
    assert "tiny.smtp_password" not in changes
