"""The form of docstrings and pages, as far as a rule can check it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath
from typing import Final

import pytest

from tests.support.sources import PACKAGES, files, modules, text, tree

PROJECTS: Final = frozenset(files("tests/cases/*/*/**/*.py"))
"""The files of the releases that cases are made of: other people's programs, so to say."""
SOURCES: Final = tuple(
    path
    for path in files(
        "node_runtime/**/*.py", "hotdash/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "screenshots/*.py"
    )
    if path not in PROJECTS
)
PAGES: Final = files("*.md", "docs/**/*.md", ".github/**/*.md")
MAX_LINE: Final = 120
"""Characters of a line of prose: the length of a line of code."""
CLAUSE: Final = re.compile(r"(What|Who|Whom|Whose|Whether|How|Which|Where|When|Why|That)\b")
"""A noun clause says what the module is about without naming it."""
FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(rf"{FENCED.pattern}|`[^`]+`", re.MULTILINE | re.DOTALL)
"""A block of code or a code span."""
PATH: Final = re.compile(r"(?<![\w/.~-])(?:node_runtime|hotdash|tests|benchmarks|docs|examples)/[\w/.-]+")
LINK: Final = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
"""A link without a scheme: the path of its target and the anchor, each of which may be empty."""


@pytest.mark.parametrize("folder", sorted({path.partition("/")[0] for path in SOURCES}))
def test_a_module_docstring_names_its_subject_in_one_line(folder: str) -> None:
    paths = [path for path in SOURCES if path.startswith(f"{folder}/")]
    assert [said for path in paths if (said := what_is_wrong_with_the_docstring(path))] == []


def what_is_wrong_with_the_docstring(path: str) -> str:
    """What a module's docstring lacks; nothing if it is as it should be."""
    module = tree(path)
    if not module.body:
        return ""
    docstring = ast.get_docstring(module)
    if not docstring:
        return f"{path} has no docstring"
    first = docstring.splitlines()[0]
    if not first.endswith("."):
        return f"{path}: the first line of the docstring is a sentence of its own"
    return f"{path}: a noun phrase or a sentence with a subject, not {first!r}" if CLAUSE.match(first) else ""


@pytest.mark.parametrize("page", PAGES)
def test_lines_of_pages_are_no_longer_than_lines_of_code(page: str) -> None:
    in_code, long = False, []
    for number, line in enumerate(text(page).splitlines(), start=1):
        in_code ^= line.startswith("```")
        is_free = in_code or line.lstrip().startswith(("|", "```")) or "](" in line
        if len(line) > MAX_LINE and not is_free:
            long.append(f"{page}:{number}")
    assert long == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    named = [path for code in CODE.findall(text(page)) for path in PATH.findall(code)]
    assert [path for path in named if not exists(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files_and_headings_that_exist(page: str) -> None:
    broken = []
    for target, anchor in LINK.findall(CODE.sub("", text(page))):
        path = os.path.normpath(PurePath(page).parent / target) if target else page
        if not exists(path) or (anchor and anchor not in slugs(path)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", files("docs/layers/*.md"))
def test_files_in_the_tables_of_a_layer_are_in_its_folder(page: str) -> None:
    layer = PurePath(page).stem
    folder = layer if layer == "hotdash" else f"node_runtime/{layer}"
    rows = "\n".join(line for line in text(page).splitlines() if line.startswith("|"))
    named = re.findall(r"`(\w+\.py)`", rows)
    assert named
    assert [name for name in named if not files(f"{folder}/**/{name}")] == []


def test_functions_in_the_life_of_an_upgrade_are_in_the_files_of_their_rows() -> None:
    _, _, section = text("docs/architecture.md").partition("## The life of an upgrade")
    rows = re.findall(r"^\| \d+ \| .* \| `([\w/.]+)` \| (.*) \|$", section, re.MULTILINE)
    assert rows
    missing = []
    for file, cell in rows:
        spans = [code.strip("`") for code in CODE.findall(cell)]
        first, *others = (code.partition("(")[0] for code in spans if not PATH.fullmatch(code))
        missing += [first] if first not in definitions(file) else []
        missing += [name for name in others if name not in all_definitions()]
    assert missing == []


def exists(path: str) -> bool:
    """Returns whether there is a file, or a folder with files, of this path relative to the root."""
    bare = path.rstrip("/.")
    return bool(files(bare) or files(f"{bare}/**/*"))


@cache
def slugs(page: str) -> frozenset[str]:
    """The anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text(page)), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@cache
def definitions(path: str) -> frozenset[str]:
    """The names that a module defines: functions and constants (also as `module.name`), and members as `Class.name`."""
    names: set[str] = set()
    for node in tree(path).body:
        own = list(_defined(node))
        names.update(own, (f"{PurePath(path).stem}.{name}" for name in own))
        if isinstance(node, ast.ClassDef):
            names.update(f"{node.name}.{name}" for part in node.body for name in _defined(part))
    return frozenset(names)


@cache
def all_definitions() -> frozenset[str]:
    """The names that the modules of all packages define."""
    return frozenset(name for package in PACKAGES for path in modules(package) for name in definitions(path))


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target)
    elif isinstance(node, ast.Assign):
        yield from map(ast.unparse, node.targets)
