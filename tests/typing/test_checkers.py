"""Two type checkers infer what a call takes and returns, and report errors: the cases are in separate files."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))


@dataclass
class Said:
    """A checker's output for a file, by line."""

    revealed: dict[int, str] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


Checker: TypeAlias = Callable[[Path], dict[str, Said]]


def mypy(directory: Path) -> dict[str, Said]:
    """mypy --strict."""
    from mypy import api

    options = ["--strict", "--no-error-summary", "--hide-error-context", f"--cache-dir={directory}"]
    out, err, _ = api.run([*options, *map(str, CASES)])
    assert not err, err
    said: dict[str, Said] = defaultdict(Said)
    for stem, number, kind, text in re.findall(r"^.*?(\w+)\.py:(\d+): (\w+): (.*)$", out, re.MULTILINE):
        if revealed := re.match(r'Revealed type is "(.*)"$', text):
            said[stem].revealed[int(number)] = revealed[1]
        elif kind == "error":
            said[stem].errors[int(number)] = text
    return said


def basedpyright(directory: Path) -> dict[str, Said]:
    """basedpyright, in pyright's own standard mode."""
    project: dict[str, Any] = {
        "include": [str(case) for case in CASES], "typeCheckingMode": "standard", "pythonVersion": "3.11"
    }  # fmt: skip
    (directory / "pyrightconfig.json").write_text(json.dumps(project))
    options = ["--outputjson", "--pythonpath", sys.executable, "-p", str(directory)]
    out = subprocess.run([sys.executable, "-m", "basedpyright", *options], check=False, capture_output=True, text=True)
    said: dict[str, Said] = defaultdict(Said)
    for one in json.loads(out.stdout)["generalDiagnostics"]:
        of, number, text = said[Path(one["file"]).stem], one["range"]["start"]["line"] + 1, one["message"]
        if revealed := re.match(r'Type of ".*" is "(.*)"$', text, re.DOTALL):
            of.revealed[number] = revealed[1]
        elif one["severity"] == "error":
            of.errors[number] = text
    return said


@pytest.fixture(scope="module", params=[mypy, basedpyright], ids=lambda checker: checker.__name__)
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """The output of one checker for each case; skipped if it is not installed."""
    checker: Checker = request.param
    name = request.param.__name__
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed here: pip install 'hotdash[dev]'")
    return checker(tmp_path_factory.mktemp(name))


def expected(case: Path) -> tuple[dict[int, str], set[int]]:
    """The expectations in the comments of a file: types by line, and the lines with errors."""
    revealed: dict[int, str] = {}
    errors: set[int] = set()
    for number, line in enumerate(case.read_text().splitlines(), 1):
        if found := re.search(r"  # reveals: (.*)$", line):
            revealed[number] = found[1]
        elif line.endswith("  # error"):
            errors.add(number)
    return revealed, errors


def without_modules(name: str) -> str:
    """The name of a type in the notation common to both checkers."""
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", name).replace("NoReturn", "Never")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_checkers_report_what_the_comments_say(checked: dict[str, Said], case: Path) -> None:
    said, (revealed, errors) = checked[case.stem], expected(case)
    assert {number: without_modules(name) for number, name in said.revealed.items()} == revealed
    unexpected = {number: text for number, text in said.errors.items() if number not in errors}
    assert not unexpected, f"objects to what is right in {case.name}"
    missed = sorted(errors - said.errors.keys())
    assert not missed, f"does not object to what is wrong in {case.name}"
