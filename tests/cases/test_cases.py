"""Small releases, made from reports on code reloading and hot upgrades, do on a real node what their users expect.

Each folder beside this file is a case: `check.py` judges a node by what users see, `all` has the files of all its
versions, and `a`, `b`, … those of one. See CONTRIBUTING.md. `make test` runs one of them, `make cases` all.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from hotdash.demo.demo_node import free_port
from tests.support.cases.node import CannotBuild, Node

HERE: Final = Path(__file__).parent
QUICK: Final = frozenset({"45-flag-member"})
"""The case that `make test` runs. The rules of all cases have tests without a node, too."""
SLOW: Final = frozenset({"52-bound-socket", "58-signal-receiver", "68-star-import", "98-fastapi-chat"})
"""The cases that a run of all tests includes, too: one of each of some kinds, and one of many parts of the product."""
KNOWN_WRONG: Final[dict[str, str]] = {}
"""The cases that are wrong, with the reason. One that becomes right fails until its line here is deleted."""


def chosen() -> Iterator[object]:
    """The cases to run: the quick and the slow ones, or all, or those in the variable CASES, separated by commas."""
    wanted = os.environ.get("CASES", "")
    for check in sorted(HERE.glob("*/check.py")):
        name = check.parent.name
        if name in wanted.split(",") or (wanted == "all") or (not wanted and name in QUICK | SLOW):
            yield pytest.param(name, marks=pytest.mark.slow) if name in SLOW and not wanted else name


@pytest.mark.parametrize("name", list(chosen()))
def test_a_case_is_right(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if name in KNOWN_WRONG:
        request.applymarker(pytest.mark.xfail(reason=KNOWN_WRONG[name], raises=AssertionError, strict=True))
    node = Node(HERE / name, load(HERE / name), tmp_path, Path(sys.executable).parent, (free_port(), free_port()))
    try:
        node.start()
        node.check.check(node)
    except CannotBuild:
        pytest.skip("no package index has what the case requires")
    finally:
        node.stop()


def test_the_tables_name_cases_that_exist() -> None:
    assert {name for name in (*QUICK, *SLOW, *KNOWN_WRONG) if not (HERE / name / "check.py").exists()} == set()


def load(case: Path) -> ModuleType:
    """The check of a case, as a module."""
    spec = importlib.util.spec_from_file_location(f"check_{case.name.replace('-', '_')}", case / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
