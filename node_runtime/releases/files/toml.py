"""Read a TOML file as a typed struct; what is wrong with it is one sentence: file, line, and what was expected."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node_runtime.protocol.exit_codes import Refused

from .toml_positions import Place, line_of
from .validation_errors import mistakes

T = TypeVar("T")
DEPTH = 50
TOO_DEEP = f"tables and arrays must not be nested more than {DEPTH} deep"


def read_table(path: Path) -> dict[str, Any]:
    """The file's tables as plain data. Raises `Refused`, also for a file with a cookie in it."""
    text = read_text(path)
    try:
        table = tomllib.loads(text)
        _check_depth(path, text, table, ())
    except RecursionError:
        raise Refused(f"{path}: {TOO_DEEP}.") from None
    except tomllib.TOMLDecodeError as error:
        message, line = str(error), text.count("\n") + 1
        if found := re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message):
            message, line = message[: found.start()], int(found[1] or line)
        raise Refused(f"{path}, line {line}: this is not valid TOML: {message}.") from None
    _refuse_cookie(path, text, table, ())
    return table


def read_text(path: Path) -> str:
    """The file's text. Raises `Refused`."""
    try:
        # As tomllib has it: lines end alike, whatever machine the file was written on.
        return path.read_bytes().decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Refused(f"{path}, line {line}: this is not valid TOML: it is not UTF-8.") from None
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror}.") from None


def read(path: Path, kind: type[T]) -> T:
    """The file as a `kind`. Raises `Refused`."""
    return convert(path, read_table(path), kind)


def convert(path: Path, data: object, kind: type[T]) -> T:
    """`data`, which the file says, as a `kind`. Raises `Refused`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        place, sentence = next(mistakes(msgspec.inspect.type_info(kind), data), ((), str(error)))
        raise wrong(path, place, sentence) from None


def wrong(path: Path, place: Place, sentence: str) -> Refused:
    """The refusal of what stands at `place` in a TOML file: `sentence`, without its full stop, and where that is."""
    end = "" if sentence.endswith((".", "?")) else "."
    return Refused(f"{path}, line {line_of(read_text(path), place)}: {sentence}{end}")


def _check_depth(path: Path, text: str, value: object, place: Place) -> None:
    """What is nested without measure would overwhelm whoever reads it later."""
    if len(place) > DEPTH:
        raise Refused(f"{path}, line {line_of(text, place[:1])}: {TOO_DEEP}.")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        _check_depth(path, text, part, (*place, name))


def _refuse_cookie(path: Path, text: str, value: object, place: Place) -> None:
    """A cookie in a file that is built and copied around would be a key that everybody has."""
    if isinstance(value, dict):
        if "cookie" in value:
            line = line_of(text, (*place, "cookie"))
            raise Refused(
                f"{path}, line {line}: there is a cookie here; take it out: each node makes its own, "
                f"and `bin/<name> cookie` prints it."
            )
        for key, part in value.items():
            _refuse_cookie(path, text, part, (*place, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _refuse_cookie(path, text, part, (*place, number))
