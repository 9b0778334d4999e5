"""The instructions of an appup, read from TOML tables into typed values. Follows OTP's appup(4).

An instruction is a table with one key that says what it is, `{ update = "fil.fil_color_fsm" }`, and options beside
it. The high-level ones become `ModuleChange`, `ApplicationChange` or `EmulatorRestart`; `apply`, `sync_nodes`,
`point_of_no_return` and the low-level ones become the `Low` arrays of a relup as they stand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from node_runtime.protocol.exit_codes import Refused

Low: TypeAlias = list[Any]
"""One low-level instruction: an array with OTP's name first, all of it JSON."""

Purge = Literal["soft_purge", "brutal_purge"]
StartType = Literal["permanent", "transient", "temporary", "load", "none"]

APPLICATION = "node_runtime.application"
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """`update`, `load_module`, `add_module` or `delete_module`.

    `change` and `type` mean something for "update" only; `timeout` is seconds, "infinity", or None for the default.
    """

    action: Literal["update", "load", "add", "delete"]
    module: str
    deps: tuple[str, ...] = ()
    change: Literal["soft", "advanced"] = "soft"
    type: Literal["dynamic", "static"] = "dynamic"
    extra: Any = field(default_factory=list)
    timeout: float | Literal["infinity"] | None = None
    pre_purge: Purge = "soft_purge"
    post_purge: Purge = "soft_purge"


@dataclass(frozen=True, slots=True)
class ApplicationChange:
    """`add_application`, `remove_application` or `restart_application`; `start` is for the first only."""

    action: Literal["add", "remove", "restart"]
    application: str
    start: StartType | None = None


Instruction: TypeAlias = ModuleChange | ApplicationChange | Low


def apply(function: str, args: Sequence[Any] = (), undo: str | None = None) -> Low:
    """The low-level form of a call to `function`, a "module:function" string."""
    return ["apply", function, list(args), {"undo": undo}]


def parse(table: Mapping[str, Any]) -> Instruction:
    """The instruction that `table` writes down. Raises `Refused` with what is wrong and what was expected."""
    name = next((key for key in _READERS if key in table), None)
    if name is None:
        known = ", ".join(_READERS)
        raise Refused(f"{_shown(table)} is no appup instruction: one of its keys must be one of {known}.")
    allowed, read = _READERS[name]
    unknown = [key for key in table if key != name and key not in allowed]
    if unknown:
        expected = f"it may have {', '.join(allowed)}" if allowed else "it has no options"
        raise Refused(f"{_shown(table)}: {name} has no option {unknown[0]}; {expected}.")
    return read(_Table(name, table))


class _Table:
    """One instruction's table with readers that check a value and name it when it is wrong."""

    def __init__(self, name: str, table: Mapping[str, Any]) -> None:
        self.name = name
        self.table = table

    def wrong(self, key: str, expected: str) -> Refused:
        return Refused(f"{_shown(self.table)}: {key} must be {expected}, not {_value(self.table.get(key))}.")

    def text(self, key: str) -> str:
        value = self.table[key]
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "a name")
        return value

    def function(self, key: str) -> str:
        value = self.table[key]
        if not isinstance(value, str) or not _FUNCTION.fullmatch(value):
            raise self.wrong(key, 'a "module:function" string')
        return value

    def plain(self, key: str, value: Any) -> Any:
        """A value as a relup can have it, which is JSON."""
        if odd := _odd(value):
            raise Refused(f"{_shown(self.table)}: {key} has {odd}, and a relup can't: write it as a text.")
        return value

    def names(self, key: str) -> list[str]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, "an array of names")
        return value

    def one_of(self, key: str, *allowed: str) -> str:
        value = self.table.get(key, allowed[0])
        if value not in allowed:
            raise self.wrong(key, " or ".join(f'"{word}"' for word in allowed))
        return cast("str", value)

    def purge(self, key: str) -> Purge:
        return cast("Purge", self.one_of(key, "soft_purge", "brutal_purge"))

    def timeout(self, key: str, value: Any) -> float | Literal["infinity"] | None:
        if value is None or value == "infinity":
            return cast("Literal['infinity'] | None", value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self.wrong(key, 'a number of seconds above 0 or "infinity"')
        return value

    def true(self) -> None:
        if self.table[self.name] is not True:
            raise self.wrong(self.name, "true")


def _update(table: _Table) -> ModuleChange:
    kind = table.one_of("type", "dynamic", "static", "supervisor")
    supervisor = kind == "supervisor"
    if supervisor and table.table.get("change", "advanced") != "advanced":
        raise table.wrong("change", 'left out or "advanced" for a supervisor')
    change = "advanced" if supervisor else table.one_of("change", "soft", "advanced")
    return ModuleChange(
        action="update",
        module=table.text("update"),
        deps=tuple(table.names("deps")),
        change=cast("Literal['soft', 'advanced']", change),
        type="dynamic" if kind == "dynamic" else "static",
        extra=_extra(table, change),
        timeout=table.timeout("timeout", table.table.get("timeout")),
        pre_purge=table.purge("pre_purge"),
        post_purge=table.purge("post_purge"),
    )


def _extra(table: _Table, change: str) -> Any:
    if "extra" in table.table and change != "advanced":
        raise Refused(f'{_shown(table.table)}: extra is for code_change, which takes change = "advanced".')
    return table.plain("extra", table.table.get("extra", []))


def _module(action: Literal["load", "add", "delete"]) -> Callable[[_Table], ModuleChange]:
    def read(table: _Table) -> ModuleChange:
        return ModuleChange(
            action=action,
            module=table.text(table.name),
            deps=tuple(table.names("deps")),
            pre_purge=table.purge("pre_purge"),
            post_purge=table.purge("post_purge"),
        )

    return read


def _application(action: Literal["add", "remove", "restart"]) -> Callable[[_Table], ApplicationChange]:
    def read(table: _Table) -> ApplicationChange:
        start = None
        if "start" in table.table:
            start = cast("StartType", table.one_of("start", "permanent", "transient", "temporary", "load", "none"))
        return ApplicationChange(action, table.text(table.name), start)

    return read


def _apply(table: _Table) -> Low:
    args = table.table.get("args", [])
    if not isinstance(args, list):
        raise table.wrong("args", "an array")
    table.plain("args", args)
    return apply(table.function("apply"), args, table.function("undo") if "undo" in table.table else None)


def _sync_nodes(table: _Table) -> Low:
    return ["sync_nodes", table.text("sync_nodes"), table.names("nodes")]


def _flag(table: _Table) -> Low:
    table.true()
    return [table.name]


def _load_object_code(table: _Table) -> Low:
    if "vsn" not in table.table:
        raise table.wrong("vsn", "the application's version")
    return [table.name, table.text(table.name), table.text("vsn"), table.names("modules")]


def _load_or_remove(table: _Table) -> Low:
    return [table.name, table.text(table.name), table.purge("pre_purge"), table.purge("post_purge")]


def _modules(table: _Table) -> Low:
    return [table.name, table.names(table.name)]


def _suspend(table: _Table) -> Low:
    entries = table.table["suspend"]
    expected = 'an array of names or ["name", seconds] pairs'
    if not isinstance(entries, list):
        raise table.wrong("suspend", expected)
    for entry in entries:
        pair = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
        if not (isinstance(entry, str) or pair):
            raise table.wrong("suspend", expected)
        if pair:
            table.timeout("suspend", entry[1])
    return ["suspend", entries]


def _code_change(table: _Table) -> Low:
    pairs = table.table["code_change"]
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs
    ):
        raise table.wrong("code_change", "an array of [module, extra] pairs")
    table.plain("code_change", pairs)
    return ["code_change", table.one_of("mode", "up", "down"), pairs]


_PURGES = ("pre_purge", "post_purge")
_READERS: dict[str, tuple[tuple[str, ...], Callable[[_Table], Instruction]]] = {
    "update": (("change", "extra", "deps", "timeout", "type", *_PURGES), _update),
    "load_module": (("deps", *_PURGES), _module("load")),
    "add_module": (("deps", *_PURGES), _module("add")),
    "delete_module": (("deps", *_PURGES), _module("delete")),
    "add_application": (("start",), _application("add")),
    "remove_application": ((), _application("remove")),
    "restart_application": ((), _application("restart")),
    "apply": (("args", "undo"), _apply),
    "sync_nodes": (("nodes",), _sync_nodes),
    "restart_emulator": ((), _flag),
    "restart_new_emulator": ((), _flag),
    "point_of_no_return": ((), _flag),
    "load_object_code": (("vsn", "modules"), _load_object_code),
    "load": (_PURGES, _load_or_remove),
    "remove": (_PURGES, _load_or_remove),
    "purge": ((), _modules),
    "suspend": ((), _suspend),
    "resume": ((), _modules),
    "code_change": (("mode",), _code_change),
    "stop": ((), _modules),
    "start": ((), _modules),
}


INSTRUCTIONS: dict[str, tuple[str, ...]] = {name: options for name, (options, _) in _READERS.items()}
"""Each instruction's key, and the options that may stand beside it."""


def _odd(value: Any) -> str | None:
    """What JSON doesn't have of what TOML has."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return next((odd for part in parts if (odd := _odd(part))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return None if isinstance(value, str | int | float) else f"the {type(value).__name__} {value}"


def _shown(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in table.items()) + " }"


def _value(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
