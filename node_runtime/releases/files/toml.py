"""Reads a TOML file as a typed struct; an error is one sentence with the file, the line and the expected value."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node_runtime.protocol.exit_codes import Refused

from .toml_positions import TomlPath, line_of
from .validation_errors import find_errors

T = TypeVar("T")
MAX_DEPTH = 50
_TOO_DEEP = f"tables and arrays must not be nested more than {MAX_DEPTH} deep"


def read_table(path: Path) -> dict[str, Any]:
    """Return the file's tables as plain data. Raises `Refused`, also for a file that contains a cookie."""
    text = read_text(path)
    try:
        table = tomllib.loads(text)
        _check_depth(path, text, table, ())
    except RecursionError:
        raise Refused(f"{path}: {_TOO_DEEP}.") from None
    except tomllib.TOMLDecodeError as error:
        message, line = str(error), text.count("\n") + 1
        if found := re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message):
            message, line = message[: found.start()], int(found[1] or line)
        raise Refused(f"{path}, line {line}: this is not valid TOML: {message}.") from None
    _refuse_cookie(path, text, table, ())
    return table


def read_text(path: Path) -> str:
    """Return the file's text. Raises `Refused`."""
    try:
        # Line ends are normalized as tomllib does.
        return path.read_bytes().decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Refused(f"{path}, line {line}: this is not valid TOML: it is not UTF-8.") from None
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror}.") from None


def read_toml(path: Path, kind: type[T]) -> T:
    """Read the file as a `kind`. Raises `Refused`."""
    return convert(path, read_table(path), kind)


def convert(path: Path, data: object, kind: type[T]) -> T:
    """Convert `data`, the content of the file, to a `kind`. Raises `Refused`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        key_path, sentence = next(find_errors(msgspec.inspect.type_info(kind), data), ((), str(error)))
        raise refusal_at(path, key_path, sentence) from None


def refusal_at(path: Path, key_path: TomlPath, sentence: str) -> Refused:
    """Return the refusal of the value at `key_path` in a TOML file, with its line. `sentence` has no full stop."""
    end = "" if sentence.endswith((".", "?")) else "."
    return Refused(f"{path}, line {line_of(read_text(path), key_path)}: {sentence}{end}")


def _check_depth(path: Path, text: str, value: object, key_path: TomlPath) -> None:
    """Refuse data that is nested so deeply that a recursive reader would fail."""
    if len(key_path) > MAX_DEPTH:
        raise Refused(f"{path}, line {line_of(text, key_path[:1])}: {_TOO_DEEP}.")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        _check_depth(path, text, part, (*key_path, name))


def _refuse_cookie(path: Path, text: str, value: object, key_path: TomlPath) -> None:
    """Refuse a cookie: the file is copied with the release, so a cookie in it would not be secret."""
    if isinstance(value, dict):
        if "cookie" in value:
            line = line_of(text, (*key_path, "cookie"))
            raise Refused(
                f"{path}, line {line}: a release must not contain a cookie; remove it. Each node creates its own "
                f"cookie, and `bin/<name> cookie` prints it."
            )
        for key, part in value.items():
            _refuse_cookie(path, text, part, (*key_path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _refuse_cookie(path, text, part, (*key_path, number))
