"""The applications' parameters before and after, compared and shown: what the files say, and whatever was set live.

What a live parameter is made of may be anything. None of its code is run for it: no `==`, no `str`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from node_runtime.behaviours.show.describe import REDACTED, SECRET, Limits, describe
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import short

Environment = Mapping[str, Mapping[str, Any]]

DEEP = 50
LONGEST = 1000
"""So many characters of a parameter are shown."""
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
"""What a URL has of a user and a password."""
_LIMITS = Limits(depth=20, parts=10_000, terms=20_000, size=1_000_000, text=100_000, seconds=0.1)


def difference(before: Environment, after: Environment) -> tuple[tuple[str, str, str], ...]:
    """Parameters that change: "app.key", before, after; what is secret is not shown."""
    left, right = _flat(before), _flat(after)
    return tuple(
        (key, _shown(key, left), _shown(key, right))
        for key in sorted({*left, *right})
        if (key in left) is not (key in right) or written(left[key]) != written(right[key])
    )


def written(value: Any, depth: int = 0, *, brief: bool = False) -> str:
    """A text that is another one for another value: JSON for what a file can say. `brief`: for people."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float or kind is str:
        return json.dumps(value, ensure_ascii=False)
    if depth < DEEP and (kind is list or kind is tuple):
        return f"[{', '.join(written(part, depth + 1, brief=brief) for part in value)}]"
    if depth < DEEP and kind is dict:
        parts = sorted(
            (written(key, depth + 1, brief=brief), written(part, depth + 1, brief=brief)) for key, part in value.items()
        )
        return f"{{{', '.join(f'{key}: {part}' for key, part in parts)}}}"
    term = describe(value, _LIMITS)
    return short(term) if brief else msgspec.json.encode(term).decode()


def _flat(environment: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in environment.items():
        name = f"{prefix}{key if type(key) is str else written(key)}"
        if type(value) is dict and (value or not depth) and depth < DEEP:
            flat |= _flat(value, f"{name}.", depth + 1)
        else:
            flat[name] = value
    return flat


def _shown(key: str, flat: Mapping[str, Any]) -> str:
    if key not in flat:
        return ""
    if SECRET.search(key):
        return REDACTED
    text = _CREDENTIALS.sub(REDACTED, written(_masked(flat[key]), brief=True))
    return clip(text, LONGEST)


def _masked(value: Any, depth: int = 0) -> Any:
    """The value without what is secret by its name, however deep in it."""
    if depth < DEEP and (type(value) is list or type(value) is tuple):
        return [_masked(part, depth + 1) for part in value]
    if depth < DEEP and type(value) is dict:
        return {
            key: REDACTED if type(key) is str and SECRET.search(key) else _masked(part, depth + 1)
            for key, part in value.items()
        }
    return value
