"""The locks: each version is pinned with its hashes, nothing is missing, and no index is named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PIN = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; [^\\]+)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def pins(lock: Path) -> dict[str, str]:
    return {found["name"]: found["version"] for found in PIN.finditer(lock.read_text())}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_nothing_but_pinned_versions_with_hashes(lock: Path) -> None:
    assert PIN.sub("", lock.read_text()) == ""


@pytest.mark.parametrize(("extra", "name"), [("dev", "dev.txt"), ("bench", "bench.txt")])
def test_a_lock_has_what_the_project_declares(extra: str, name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"][extra]]
    lines += project["build-system"]["requires"] if extra == "dev" else []
    locked = pins(ROOT / "locks" / name)
    for requirement in map(Requirement, lines):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_the_locks_agree_with_each_other() -> None:
    seen: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            assert seen.setdefault(name, version) == version, name


def test_everything_that_make_installs_is_locked_and_a_wheel() -> None:
    text = (ROOT / "Makefile").read_text()
    assert "LOCKED := $(PIP) --require-hashes --only-binary :all: --requirement\n" in text
    assert "THIS := $(PIP) --no-deps --no-build-isolation --editable .\n" in text
    assert text.count("pip install") == 1
