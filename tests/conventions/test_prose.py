"""The form of docstrings and pages, as far as a rule can check it."""

from __future__ import annotations

import ast
import re
from typing import Final

import pytest

from tests.support.sources import files, text, tree

SOURCES: Final = files(
    "node_runtime/**/*.py", "hotdash/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "screenshots/*.py"
)
PAGES: Final = files("*.md", "docs/**/*.md", ".github/**/*.md")
MAX_LINE: Final = 120
"""Characters of a line of prose: the length of a line of code."""
CLAUSE: Final = re.compile(r"(What|Who|Whom|Whose|Whether|How|Which|Where|When|Why|That)\b")
"""A noun clause says what the module is about without naming it."""


@pytest.mark.parametrize("path", SOURCES)
def test_a_module_docstring_names_its_subject_in_one_line(path: str) -> None:
    module = tree(path)
    if not module.body:
        return
    docstring = ast.get_docstring(module)
    assert docstring, f"{path} has no docstring"
    first = docstring.splitlines()[0]
    assert first.endswith("."), f"{path}: the first line of the docstring is a sentence of its own"
    assert not CLAUSE.match(first), f"{path}: a noun phrase or a sentence with a subject, not {first!r}"


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
    named = re.findall(r"`((?:node_runtime|hotdash|tests|benchmarks|docs|examples)/[\w/.-]+)`", text(page))
    assert [path for path in named if not files(path.rstrip("/")) and not files(f"{path.rstrip('/')}/**/*")] == []
