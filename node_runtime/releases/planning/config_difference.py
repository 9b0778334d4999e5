"""Compares and renders the applications' parameters before and after an install.

A parameter comes from a file, or was set on the live node. A value that was set on the live node may be any object, so
the comparison runs no methods of values, such as `__eq__` or `__str__`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from node_runtime.behaviours.show.describe import DescribeLimits, describe, is_hidden
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.processes.redaction.named_secrets import CHANGED, REDACTED
from node_runtime.processes.redaction.text_redaction import redact
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import term_line

MAX_DEPTH = 50
MAX_SHOWN_CHARACTERS = 1000
_DESCRIBE_LIMITS = DescribeLimits(depth=20, parts=10_000, terms=20_000, size=1_000_000, text=100_000, seconds=0.1)


def difference(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[str, str, str], ...]:
    """Return the parameters that change, as ("app.key", before, after), redacted."""
    left, right = _flat(before), _flat(after)
    return tuple(
        (key, *_shown_change(key, left, right))
        for key in sorted({*left, *right})
        if (key in left) is not (key in right) or canonical_text(left[key]) != canonical_text(right[key])
    )


def canonical_text(value: Any, depth: int = 0, *, brief: bool = False) -> str:
    """Return a text that is the same for equal values: JSON for the values that a file can contain.

    Any other value is described without running its code; `brief` shortens and redacts that description.
    """
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float or kind is str:
        return json.dumps(value, ensure_ascii=False)
    if depth < MAX_DEPTH and (kind is list or kind is tuple):
        return f"[{', '.join(canonical_text(part, depth + 1, brief=brief) for part in value)}]"
    if depth < MAX_DEPTH and kind is dict:
        parts = sorted(
            (canonical_text(key, depth + 1, brief=brief), canonical_text(part, depth + 1, brief=brief))
            for key, part in value.items()
        )
        return f"{{{', '.join(f'{key}: {part}' for key, part in parts)}}}"
    term = describe(value, _DESCRIBE_LIMITS, ValueReaders(redacts=brief))
    return term_line(term) if brief else msgspec.json.encode(term).decode()


def _flat(environment: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in environment.items():
        name = f"{prefix}{key if type(key) is str else canonical_text(key)}"
        if type(value) is dict and (value or not depth) and depth < MAX_DEPTH:
            flat |= _flat(value, f"{name}.", depth + 1)
        else:
            flat[name] = value
    return flat


def _shown_change(key: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[str, str]:
    """Return both values for display, redacted. If they differ only in secrets, the second text says that."""
    before, after = _shown(key, left), _shown(key, right)
    return before, after.replace(REDACTED, CHANGED) if before == after else after


def _shown(key: str, flat: Mapping[str, Any]) -> str:
    if key not in flat:
        return ""
    names = key.split(".")[1:]  # the first name is that of the application
    if any(is_hidden(name, flat[key]) for name in names):
        return REDACTED
    return clip(redact(canonical_text(_masked(flat[key]), brief=True)), MAX_SHOWN_CHARACTERS)


def _masked(value: Any, depth: int = 0) -> Any:
    """Return a copy of the value in which each secret is masked, at any depth. The names of values show which are
    secrets.
    """
    if depth < MAX_DEPTH and (type(value) is list or type(value) is tuple):
        return [_masked(part, depth + 1) for part in value]
    if depth < MAX_DEPTH and type(value) is dict:
        return {
            key: REDACTED if type(key) is str and is_hidden(key, part) else _masked(part, depth + 1)
            for key, part in value.items()
        }
    return value
