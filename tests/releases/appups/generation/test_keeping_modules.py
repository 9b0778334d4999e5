"""The generated appup also loads the unchanged modules whose bodies keep code or values of a changed module."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.releases.appups.check.check import appup_mistakes
from node_runtime.releases.appups.generation.generate import generate_appups
from node_runtime.releases.appups.sources.release_source import read_project_source
from tests.support.projects.shop_versions import APP, sup, write_shop

POLICY = """
import enum
import functools
from dataclasses import dataclass

LEAST = 1
NAMES = ("a", "b")
UNSET = object()

class Kind(enum.Enum):
    PLAIN = 1

@dataclass
class Rule:
    limit: int = 3

def allow():
    return LEAST

def logged(function):
    @functools.wraps(function)
    def inner():
        return function()
    return inner
"""
IMPORTS = "from functools import partial\nfrom shop import policy\nfrom shop.policy import LEAST, allow\n"
EDITED = POLICY.replace("LEAST = 1", "LEAST = 2")


def generated(folder: Path, edited: str, **modules: str) -> tuple[list[str], list[str]]:
    """The modules that the generated appup loads, and the notes."""
    modules = {"app": APP, "sup": sup(), **modules}
    older = read_project_source(write_shop(folder / "1", "1", {**modules, "policy": POLICY}))
    newer = read_project_source(write_shop(folder / "2", "2", {**modules, "policy": edited}))
    made = generate_appups(older, newer)
    (appup,) = made.appups
    newer.appups["shop"].path.write_text(appup.text)
    assert appup_mistakes(older, newer) == []
    up = appup.text.partition("[[down]]")[0]
    return [line.split('"')[1] for line in up.splitlines() if "load_module" in line], list(made.notes)


@pytest.mark.parametrize(
    "body",
    [
        'CHECKS = {"plain": allow}',
        "CHECK = policy.allow",
        "CHECK = partial(allow, 3)",
        "MOST = policy.LEAST * 2",
        "def check(number=LEAST): ...",
        "def check(*, missing=policy.UNSET): ...",
        "class Check:\n    run = policy.allow",
        "class Check:\n    most: int = LEAST",
        "@policy.logged\ndef check(): ...",
        "CHECK = policy.logged(print)",
        "CHECK = lambda by=allow: by()",
        "if policy.LEAST > 1:\n    CHECK = 1",
    ],
)
def test_a_module_whose_body_keeps_something_is_loaded_too(tmp_path: Path, body: str) -> None:
    assert generated(tmp_path, EDITED, till=IMPORTS + body) == (["shop.policy", "shop.till"], [])


@pytest.mark.parametrize(
    "body",
    [
        "def check():\n    return allow(), policy.LEAST",
        "CHECK = lambda: allow()",
        "NAMES = sorted(policy.NAMES)",
        "KINDS = [policy.Kind.PLAIN]",
        "class Check:\n    rule = policy.Rule()",
        "def check(number: LEAST): ...",
    ],
)
def test_a_module_that_keeps_nothing_old_is_not_loaded(tmp_path: Path, body: str) -> None:
    assert generated(tmp_path, EDITED, till=IMPORTS + body) == (["shop.policy"], [])


def test_instances_in_a_module_adopt_the_new_class_but_those_in_a_class_do_not(tmp_path: Path) -> None:
    edited = POLICY.replace("limit: int = 3", "limit: int = 4")
    assert generated(tmp_path / "1", edited, till=IMPORTS + "RULE = policy.Rule()")[0] == ["shop.policy"]
    in_class = IMPORTS + "class Till:\n    rule = policy.Rule()"
    assert generated(tmp_path / "2", edited, till=in_class)[0] == ["shop.policy", "shop.till"]


def test_what_a_module_has_computed_is_followed_through_other_modules(tmp_path: Path) -> None:
    till, desk = IMPORTS + "MOST = LEAST * 2\nNAME = 'till'\n", "from shop import till\nTABLE = [till.MOST]\n"
    other = "from shop import till\nTABLE = [till.NAME]\n"
    loaded, _ = generated(tmp_path, EDITED, till=till, desk=desk, other=other)
    assert loaded == ["shop.policy", "shop.till", "shop.desk"]


@pytest.mark.parametrize(
    "change",
    ["SEEN.append(1)", "SEEN[0] = 1", "BOX.seen[0] = 1", "global SEEN\n    SEEN = []", "del BOX.seen"],
)
def test_a_module_with_data_of_its_own_is_not_loaded_but_named(tmp_path: Path, change: str) -> None:
    text = f"{IMPORTS}class BOX: ...\nSEEN = []\nCHECKS = [allow]\n\ndef see():\n    {change}\n"
    loaded, (note,) = generated(tmp_path / "1", EDITED, till=text)
    assert loaded == ["shop.policy"]
    assert note.startswith("The body of shop.till keeps code or values of shop.policy")
    carried = f'__carry__ = ["SEEN", "BOX"]\n{text}'
    assert generated(tmp_path / "2", EDITED, till=carried) == (["shop.policy", "shop.till"], [])
