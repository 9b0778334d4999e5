"""The filter of a view of processes while it is typed.

A word that begins with `~` or `!~` is a regular expression. Regular expressions are never sent to the node, because
they could keep the node busy for ever. The dashboard applies them to the rows that it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessRow
from node_runtime.protocol.process_filter import MAX_COMPARED, parse_filter

FILTER_HINT: Final = "words, or such as state:lime module:fil.* args:77 mail>10 !kind:task"
"""What the filter of a view of processes may contain, for its empty field."""
_NO_PATTERNS = "Regular expressions, such as {word}, work in the list of processes only, not in the tree."


class FilterText:
    """The last valid filter.

    `text` is the part that the node evaluates, `patterns` are the regular expressions. If the text in the field is not
    a valid filter, `mistake` is a sentence that says why.
    """

    def __init__(self, *, takes_patterns: bool = False) -> None:
        self.text = ""
        self.patterns: tuple[str, ...] = ()
        self.mistake = ""
        self._takes_patterns = takes_patterns
        self._compiled: tuple[tuple[re.Pattern[str], bool], ...] = ()

    def take(self, typed: str) -> None:
        """Use the typed text if it is a valid filter; otherwise keep the previous filter."""
        words = typed.split()
        patterns = tuple(word for word in words if word.startswith(("~", "!~")))
        text = " ".join(word for word in words if word not in patterns) if patterns else typed
        try:
            parse_filter(text)
            compiled = tuple(_compile(pattern) for pattern in patterns)
        except Refused as refused:
            self.mistake = refused.sentence
        except (re.error, OverflowError, RecursionError) as error:
            self.mistake = f"A regular expression of the filter is wrong: {error}."
        else:
            self.mistake = "" if self._takes_patterns or not patterns else _NO_PATTERNS.format(word=patterns[0])
            if not self.mistake:
                self.text, self.patterns, self._compiled = text, patterns, compiled

    def accepts(self, row: ProcessRow) -> bool:
        """Return whether a row matches all regular expressions."""
        return all(
            any(pattern.search(text[:MAX_COMPARED]) for text in _texts(row)) != negated
            for pattern, negated in self._compiled
        )


def _compile(word: str) -> tuple[re.Pattern[str], bool]:
    return re.compile(word.removeprefix("!")[1:], re.IGNORECASE), word.startswith("!")


def _texts(row: ProcessRow) -> Iterator[str]:
    yield from (row.name or "", row.child_id or "", row.module, row.kind, row.state_name or "", row.status)
    yield from (row.arguments, row.application or "", str(row.pid))
