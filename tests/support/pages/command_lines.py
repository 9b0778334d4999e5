"""The command lines that a page shows, in blocks and in its prose."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FENCE: Final = re.compile(r"\s*```(?P<language>\w*)$")
SHELL: Final = frozenset({"", "sh", "console", "shell", "bash"})
"""The languages of blocks in which lines can be commands."""
SPAN: Final = re.compile(r"`([^`]+)`")
STARTS: Final = re.compile(r"(\S*/)?(hotdash|node-runtime|make|python3?|pip|journalctl|bin/\S+) (?=\S)|…? ?cookie --")
"""How a command line starts, in a block without a prompt and in prose."""
PLACEHOLDERS: Final = re.compile(r"[\[\]|…]")
"""What a line of prose has around optional words, and between alternatives."""
SETTINGS: Final = re.compile(r"\w+=\S+$")
"""A variable of the environment before a command."""
SEPARATORS: Final = frozenset({"|", "||", "&&", ";", "&", "\n"})
KEYWORDS: Final = frozenset({"do", "then", "else", "done", "fi", "sudo", "nice"})
"""Words of a shell that another command can follow."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line of a page; `shown` if it is in a block, so that a reader can copy it."""

    page: Path
    text: str
    shown: bool


def command_lines(page: Path) -> Iterator[CommandLine]:
    """All command lines of a page: those of its blocks in their order, then those of its prose."""
    prose: list[str] = []
    language: str | None = None
    prompts = False
    for line in page.read_text(encoding="utf-8").split("\n"):
        if fence := FENCE.match(line):
            language = fence["language"] if language is None else None
            prompts = False
            continue
        prompts = prompts or line.startswith("$ ")
        block = language in SHELL if language is not None else line.startswith("    ")
        text = line.strip().removeprefix("$ ")
        if block and (line.startswith("$ ") or (not prompts and STARTS.match(text))):
            yield CommandLine(page, without_comment(text), shown=True)
        elif language is None:
            prose.append(line)
    for span in SPAN.findall(" ".join(prose)):
        text = " ".join(span.replace("\\|", "|").split())
        if STARTS.match(text):
            yield CommandLine(page, text, shown=False)


def without_comment(line: str) -> str:
    """A line of a shell without the comment at its end."""
    return re.sub(r"\s\s+#\s.*$", "", line).rstrip()


def words_of_prose(line: str) -> list[str]:
    """The words of a command line of prose, without what it has in place of words, such as `[--output DIR]`."""
    plain = line if " install " in line else PLACEHOLDERS.sub(" ", line)  # an extra has brackets, too
    try:
        return shlex.split(plain)
    except ValueError:  # an apostrophe
        return plain.split()


def simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line: those of a pipe, a list or a loop, without redirections and keywords."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    skipped = False
    for word in lexer:
        if skipped:
            skipped = False
        elif word in SEPARATORS:
            found.append([])
        elif word in {"<", ">", ">>"}:
            skipped = True
        elif not found[-1] and (word in KEYWORDS or SETTINGS.match(word)):
            continue
        else:
            found[-1].append(word)
    return [words for words in found if words and words[0] != "for"]
