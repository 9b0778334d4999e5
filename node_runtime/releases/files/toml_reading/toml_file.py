"""Reads a TOML file into a typed struct. Errors name the file, the line and the expected value."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.regular_file import read_regular

from .toml_positions import TomlPath, line_of
from .validation_errors import find_errors

T = TypeVar("T")
MAX_TOML_BYTES = 1 << 20
"""Greatest size of a file."""
MAX_DEPTH = 50
MAX_INTEGER = (1 << 63) - 1
"""The greatest integer with 64 bits, which is the range that TOML guarantees."""
_TOO_DEEP = f"tables and arrays must not be nested more than {MAX_DEPTH} deep"


def read_table(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file as plain data. Raises `Refused`, also for a key `cookie`."""
    text = read_text(path)
    try:
        table = tomllib.loads(text)
        _check_values(path, text, table, ())
    except RecursionError:
        raise Refused(f"{path}: {_TOO_DEEP}.") from None
    except tomllib.TOMLDecodeError as error:
        message, line = str(error), text.count("\n") + 1
        if found := re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message):
            message, line = message[: found.start()], int(found[1] or line)
        raise Refused(f"{path}, line {line}: this is not valid TOML: {message}.") from None
    except ValueError:  # Python refuses to convert a number with so many digits
        raise Refused(f"{path}: a number has too many digits; an integer has at most 64 bits.") from None
    _refuse_cookie(path, text, table, ())
    return table


def read_text(path: Path) -> str:
    """Return the file's text. Raises `Refused`."""
    try:
        # Line ends are normalized in the same way as by tomllib.
        return read_regular(path, MAX_TOML_BYTES).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Refused(f"{path}, line {line}: this is not valid TOML: it is not UTF-8.") from None
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror}.") from None


def read_toml(path: Path, kind: type[T]) -> T:
    """Read a TOML file as a value of the type `kind`. Raises `Refused`."""
    return convert(path, read_table(path), kind)


def convert(path: Path, data: object, kind: type[T]) -> T:
    """Convert `data`, the content of the file `path`, to a value of the type `kind`. Raises `Refused`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        key_path, sentence = next(find_errors(msgspec.inspect.type_info(kind), data), ((), str(error)))
        raise refusal_at(path, key_path, sentence) from None


def refusal_at(path: Path, key_path: TomlPath, sentence: str) -> Refused:
    """Return a `Refused` with the line of the value at `key_path`. `sentence` is the reason, without a full stop."""
    end = "" if sentence.endswith((".", "?")) else "."
    return Refused(f"{path}, line {line_of(read_text(path), key_path)}: {sentence}{end}")


def _check_values(path: Path, text: str, value: object, key_path: TomlPath) -> None:
    """Raise Refused for an integer above 64 bits, and for data too deeply nested for the functions that read it."""
    if len(key_path) > MAX_DEPTH:
        raise Refused(f"{path}, line {line_of(text, key_path[:1])}: {_TOO_DEEP}.")
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise Refused(f"{path}, line {line_of(text, key_path)}: an integer has at most 64 bits; write a smaller one.")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        _check_values(path, text, part, (*key_path, name))


def _refuse_cookie(path: Path, text: str, value: object, key_path: TomlPath) -> None:
    """Raise Refused if there is a key `cookie`: in a release's tarball, a cookie would not be secret."""
    if isinstance(value, dict):
        if "cookie" in value:
            line = line_of(text, (*key_path, "cookie"))
            raise Refused(
                f"{path}, line {line}: this file must not contain a cookie; remove the key. "
                f"Each node creates its own cookie, and `bin/<name> cookie` prints it."
            )
        for key, part in value.items():
            _refuse_cookie(path, text, part, (*key_path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _refuse_cookie(path, text, part, (*key_path, number))
