"""Finds secrets in lists of command-line arguments: `["mysql", "-p…"]`, `["--token", …]`."""

from __future__ import annotations

from typing import Any, Final

from node_runtime.processes.redaction.command_secrets import command_passwords
from node_runtime.processes.redaction.named_secrets import option_values

MAX_ARGUMENTS: Final = 64
"""The number of items of a list that are examined."""
MAX_ARGUMENT_LENGTH: Final = 200
"""The number of characters of an argument that are examined."""


def secret_arguments(value: Any) -> frozenset[str]:
    """Return the positions, as texts, of the secret command-line arguments in a list or a tuple."""
    items = (list if issubclass(type(value), list) else tuple).__getitem__(value, slice(MAX_ARGUMENTS))
    if not any(type(item) is str and item.startswith("-") for item in items):
        return frozenset()
    begins, text = [], "["
    for item in items:
        begins.append(len(text))
        text += repr(item[:MAX_ARGUMENT_LENGTH] if type(item) is str else "") + ", "
    found = frozenset(begin for finder in (option_values, command_passwords) for begin, _ in finder(text))
    ends = [*begins[1:], len(text)]
    return frozenset(
        str(number)
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True))
        if any(begin <= secret < end for secret in found)
    )
