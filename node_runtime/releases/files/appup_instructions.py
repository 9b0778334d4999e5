"""The instructions of an appup, read from TOML tables into typed values. Follows OTP's appup(4).

In a TOML table, one key names the instruction, and the other keys are its options: `{ update = "fil.fil_color_fsm",
timeout = 10 }`. A high-level instruction becomes a `ModuleChange` or an `ApplicationChange`. A low-level instruction
becomes a `RelupInstruction`, which the relup contains unchanged.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, cast

import msgspec

from node_runtime.protocol.clip import clip
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction

from .names import MAX_NAME_CHARACTERS, AnyName, Module, Name, VsnString, describe
from .relup_instructions import (
    Apply,
    ChangedModule,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    PurgeMode,
    RelupInstruction,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendedModule,
    SuspendProcesses,
    SuspendTimeout,
    SyncNodes,
)

MAX_SHOWN_CHARACTERS = 300
"""A message shows at most this many characters of an instruction."""

ReleaseStartType = Literal["permanent", "transient", "temporary", "load", "none"]

QUESTION = "question"
"""The key of a generated line that asks the author something. An appup with such a line is refused."""

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class ModuleChange(msgspec.Struct, frozen=True):
    """One of the instructions `update`, `load_module`, `add_module` and `delete_module`.

    Only `update` uses `change`, `type`, `extra` and `timeout`. A `timeout` is in seconds; None means the default.
    """

    action: Literal["update", "load", "add", "delete"]
    module: str
    deps: tuple[str, ...] = ()
    change: Literal["soft", "advanced"] = "soft"
    type: Literal["dynamic", "static"] = "dynamic"
    extra: Any = msgspec.field(default_factory=list)
    timeout: SuspendTimeout | None = None
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


class ApplicationChange(msgspec.Struct, frozen=True):
    """One of the instructions `add_application`, `remove_application` and `restart_application`.

    Only `add_application` uses `start`. If `start` is None, the application starts as the release says.
    """

    action: Literal["add", "remove", "restart"]
    application: str
    start: ReleaseStartType | None = None


AppupInstruction: TypeAlias = ModuleChange | ApplicationChange | RelupInstruction


def parse_instruction(table: Mapping[str, Any]) -> AppupInstruction:
    """Return the instruction in `table`. Raises `Refused` for a wrong key or value, and for an unanswered question.

    The generator of appups writes a question where it can't know the instruction.
    """
    if QUESTION in table:
        raise Refused(f"this question is open: {table[QUESTION]} Answer it, and remove the line")
    name = next((key for key in _READERS if key in table), None)
    if name is None:
        known = ", ".join(_READERS)
        raise Refused(f"{_toml_text(table)} is not an appup instruction: it must have one of the keys {known}.")
    allowed, read = _READERS[name]
    unknown = [key for key in table if key != name and key not in allowed]
    if unknown:
        expected = f"it may have {', '.join(allowed)}" if allowed else "it has no options"
        raise Refused(f"{_toml_text(table)}: {name} has no option {unknown[0]}; {expected}.")
    return read(_InstructionReader(name, table))


class _InstructionReader:
    """Reads the values of one instruction's table. Each method raises `Refused` for a wrong value and names its key."""

    def __init__(self, name: str, table: Mapping[str, Any]) -> None:
        self.name = name
        self.table = table

    def refusal(self, key: str, expected: str) -> Refused:
        return Refused(f"{_toml_text(self.table)}: {key} must be {expected}, not {_value_text(self.table.get(key))}.")

    def text(self, key: str, kind: Any) -> str:
        """Return the string at `key`. It must match `kind`, a type in names.py such as `Module`. Raises `Refused`."""
        value = self.table[key]
        if not _is(kind, value):
            raise self.refusal(key, describe(kind))
        return cast("str", value)

    def module(self, key: str) -> str:
        return self.text(key, Module)

    def function(self, key: str) -> str:
        value = self.table[key]
        if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS or not _FUNCTION.fullmatch(value):
            raise self.refusal(key, 'a "module:function" string')
        return value

    def json(self, key: str, value: Any) -> Any:
        """Return `value` if JSON can represent it, because a relup is JSON. Otherwise, raise `Refused`."""
        if found := _not_json(value):
            raise Refused(
                f"{_toml_text(self.table)}: {key} contains {found}, which a relup can't contain; write it as a string."
            )
        return value

    def texts(self, key: str, kind: Any) -> list[str]:
        """Return the array of strings at `key`, each of which must match `kind`, a type in names.py."""
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(_is(kind, item) for item in value):
            raise self.refusal(key, f"an array, each item {describe(kind)}")
        return value

    def modules(self, key: str) -> tuple[str, ...]:
        return tuple(self.texts(key, Module))

    def one_of(self, key: str, *allowed: str) -> str:
        value = self.table.get(key, allowed[0])
        if value not in allowed:
            raise self.refusal(key, " or ".join(f'"{word}"' for word in allowed))
        return cast("str", value)

    def purge(self, key: str) -> PurgeMode:
        return cast("PurgeMode", self.one_of(key, "soft_purge", "brutal_purge"))

    def timeout(self, key: str, value: Any) -> SuspendTimeout | None:
        if value is None or value == "infinity":
            return cast("Literal['infinity'] | None", value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self.refusal(key, 'a number of seconds above 0 or "infinity"')
        return value

    def check_true(self) -> None:
        if self.table[self.name] is not True:
            raise self.refusal(self.name, "true")


def _update(reader: _InstructionReader) -> ModuleChange:
    kind = reader.one_of("type", "dynamic", "static", "supervisor")
    supervisor = kind == "supervisor"
    if supervisor and reader.table.get("change", "advanced") != "advanced":
        raise reader.refusal("change", '"advanced" or left out for a supervisor')
    change = "advanced" if supervisor else reader.one_of("change", "soft", "advanced")
    return ModuleChange(
        action="update",
        module=reader.module("update"),
        deps=reader.modules("deps"),
        change=cast("Literal['soft', 'advanced']", change),
        type="dynamic" if kind == "dynamic" else "static",
        extra=_extra(reader, change),
        timeout=reader.timeout("timeout", reader.table.get("timeout")),
        pre_purge=reader.purge("pre_purge"),
        post_purge=reader.purge("post_purge"),
    )


def _extra(reader: _InstructionReader, change: str) -> Any:
    if "extra" in reader.table and change != "advanced":
        raise Refused(
            f'{_toml_text(reader.table)}: extra needs change = "advanced", because only code_change receives it.'
        )
    return reader.json("extra", reader.table.get("extra", []))


def _module(action: Literal["load", "add", "delete"]) -> Callable[[_InstructionReader], ModuleChange]:
    def read(reader: _InstructionReader) -> ModuleChange:
        return ModuleChange(
            action=action,
            module=reader.module(reader.name),
            deps=reader.modules("deps"),
            pre_purge=reader.purge("pre_purge"),
            post_purge=reader.purge("post_purge"),
        )

    return read


def _application(action: Literal["add", "remove", "restart"]) -> Callable[[_InstructionReader], ApplicationChange]:
    def read(reader: _InstructionReader) -> ApplicationChange:
        start = None
        if action == "add":
            types = ("permanent", "transient", "temporary", "load", "none")
            start = cast("ReleaseStartType", reader.one_of("start", *types))
        return ApplicationChange(action, reader.text(reader.name, Name), start)

    return read


def _apply(reader: _InstructionReader) -> Apply:
    args = reader.table.get("args", [])
    if not isinstance(args, list):
        raise reader.refusal("args", "an array")
    reader.json("args", args)
    function = reader.function("apply")
    return Apply(function, tuple(args), reader.function("undo") if "undo" in reader.table else None)


def _restart_child(reader: _InstructionReader) -> RestartChild:
    for key in ("restart_child", "supervisor"):
        if not isinstance(reader.table.get(key), str) or not reader.table[key]:
            raise reader.refusal(key, "the child's id" if key == "restart_child" else "the supervisor's name")
    return RestartChild(reader.table["supervisor"], reader.table["restart_child"])


def _sync_nodes(reader: _InstructionReader) -> SyncNodes:
    return SyncNodes(reader.text("sync_nodes", AnyName), tuple(reader.texts("nodes", AnyName)))


def _flag(
    instruction: PointOfNoReturn | RestartEmulator | RestartNewEmulator,
) -> Callable[[_InstructionReader], RelupInstruction]:
    def read(reader: _InstructionReader) -> RelupInstruction:
        reader.check_true()
        return instruction

    return read


def _load_object_code(reader: _InstructionReader) -> LoadObjectCode:
    if "vsn" not in reader.table:
        raise reader.refusal("vsn", "the application's version")
    return LoadObjectCode(reader.text(reader.name, Name), reader.text("vsn", VsnString), reader.modules("modules"))


def _load_or_remove(kind: type[Load | Remove]) -> Callable[[_InstructionReader], RelupInstruction]:
    def read(reader: _InstructionReader) -> RelupInstruction:
        return kind(reader.module(reader.name), reader.purge("pre_purge"), reader.purge("post_purge"))

    return read


def _modules(
    kind: type[Purge | ResumeProcesses | StopProcesses | StartProcesses],
) -> Callable[[_InstructionReader], RelupInstruction]:
    def read(reader: _InstructionReader) -> RelupInstruction:
        return kind(reader.modules(reader.name))

    return read


def _suspend(reader: _InstructionReader) -> SuspendProcesses:
    entries = reader.table["suspend"]
    if not isinstance(entries, list):
        raise _suspend_refusal(reader)
    return SuspendProcesses(tuple(_suspended(reader, entry) for entry in entries))


def _suspended(reader: _InstructionReader, entry: Any) -> SuspendedModule:
    match entry:
        case str() if _is(Module, entry):
            return SuspendedModule(entry)
        case [module, timeout] if _is(Module, module):
            return SuspendedModule(module, reader.timeout("suspend", timeout))
        case _:
            raise _suspend_refusal(reader)


def _suspend_refusal(reader: _InstructionReader) -> Refused:
    return reader.refusal("suspend", 'an array of names or ["name", seconds] pairs')


def _code_change(reader: _InstructionReader) -> CodeChange:
    pairs = reader.table["code_change"]
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and _is(Module, pair[0]) for pair in pairs
    ):
        raise reader.refusal("code_change", "an array of [module, extra] pairs")
    reader.json("code_change", pairs)
    direction = cast("Direction", reader.one_of("mode", "up", "down"))
    return CodeChange(direction, tuple(ChangedModule(module, extra) for module, extra in pairs))


_PURGES = ("pre_purge", "post_purge")
_READERS: dict[str, tuple[tuple[str, ...], Callable[[_InstructionReader], AppupInstruction]]] = {
    "update": (("change", "extra", "deps", "timeout", "type", *_PURGES), _update),
    "load_module": (("deps", *_PURGES), _module("load")),
    "add_module": (("deps", *_PURGES), _module("add")),
    "delete_module": (("deps", *_PURGES), _module("delete")),
    "add_application": (("start",), _application("add")),
    "remove_application": ((), _application("remove")),
    "restart_application": ((), _application("restart")),
    "restart_child": (("supervisor",), _restart_child),
    "apply": (("args", "undo"), _apply),
    "sync_nodes": (("nodes",), _sync_nodes),
    "restart_emulator": ((), _flag(RestartEmulator())),
    "restart_new_emulator": ((), _flag(RestartNewEmulator())),
    "point_of_no_return": ((), _flag(PointOfNoReturn())),
    "load_object_code": (("vsn", "modules"), _load_object_code),
    "load": (_PURGES, _load_or_remove(Load)),
    "remove": (_PURGES, _load_or_remove(Remove)),
    "purge": ((), _modules(Purge)),
    "suspend": ((), _suspend),
    "resume": ((), _modules(ResumeProcesses)),
    "code_change": (("mode",), _code_change),
    "stop": ((), _modules(StopProcesses)),
    "start": ((), _modules(StartProcesses)),
}


INSTRUCTION_OPTIONS: dict[str, tuple[str, ...]] = {name: options for name, (options, _) in _READERS.items()}
"""The options that each instruction may have, by the instruction's key."""


def _is(kind: Any, value: Any) -> bool:
    """Return whether a value is a string that matches `kind`, a type in names.py."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _not_json(value: Any) -> str | None:
    """Return a description of the first part of a TOML value that JSON can't represent; None if there is none."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return next((found for part in parts if (found := _not_json(part))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return None if isinstance(value, str | int | float) else f"the {type(value).__name__} {value}"


def _toml_text(table: Mapping[str, Any]) -> str:
    text = "{ " + ", ".join(f"{key} = {_value_text(value)}" for key, value in table.items()) + " }"
    return clip(text, MAX_SHOWN_CHARACTERS)


def _value_text(value: Any) -> str:
    return clip(json.dumps(value, default=str, ensure_ascii=False), MAX_SHOWN_CHARACTERS)
