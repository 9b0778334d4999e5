"""`DraftStep`: an instruction that the generation proposes, as a TOML table with a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from node_runtime.releases.files.appup_instructions import QUESTION

StepKey: TypeAlias = tuple[str, ...]
"""The subject of an instruction. If two instructions have equal subjects, one can replace the other."""

_MODULE_INSTRUCTIONS = ("update", "load_module", "add_module", "delete_module")


class DraftStep(msgspec.Struct, frozen=True):
    """An instruction as a table.

    `comments` are the comment lines above the instruction, and `trailing` is the comment at the end of its line. If the
    step is a question to the author, `about` is the key of the instruction that would answer the question.
    """

    table: Mapping[str, Any]
    comments: tuple[str, ...] = ()
    trailing: str = ""
    about: StepKey | None = None

    @property
    def key(self) -> StepKey:
        """The key that `step_key` returns for the instruction."""
        return step_key(self.table)


def step_key(table: Mapping[str, Any]) -> StepKey:
    """Return a key for the subject of an instruction: its module; its function and arguments; or the whole instruction.

    For example, `load_module` and `update` of the same module have the same key.
    """
    for name in _MODULE_INSTRUCTIONS:
        if name in table:
            return ("module", str(table[name]))
    if "apply" in table:
        return ("apply", str(table["apply"]), json.dumps(table.get("args", []), default=str))
    if QUESTION in table:
        return (QUESTION, str(table[QUESTION]))
    return ("other", json.dumps(dict(table), sort_keys=True, default=str))


def question(text: str, about: StepKey | None = None) -> DraftStep:
    """Return a question to the author, in the place of an instruction. An appup with a question is refused."""
    return DraftStep({QUESTION: text}, about=about)


def apply(function: str, *args: Any, undo: str | None = None) -> DraftStep:
    """Return an `apply` instruction."""
    table: dict[str, Any] = {"apply": function}
    if args:
        table["args"] = list(args)
    if undo is not None:
        table["undo"] = undo
    return DraftStep(table)


def toml_value(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_toml_key(key)} = {toml_value(part)}" for key, part in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value)


def _toml_key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else json.dumps(key, ensure_ascii=False)
