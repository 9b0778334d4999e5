"""Read a TOML file as a typed struct; what is wrong with it becomes one sentence that names file and place."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node_runtime.protocol.exits import Refused

from .names import EXPECTED

T = TypeVar("T")


def read_table(path: Path) -> dict[str, Any]:
    """The file's tables as plain data. Raises `Refused`, also for a file with a cookie in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not valid TOML: {error}.") from None
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror}.") from None
    _refuse_cookie(path, table)
    return table


def read(path: Path, kind: type[T]) -> T:
    """The file as a `kind`. Raises `Refused`."""
    return convert(path, read_table(path), kind)


def convert(path: Path, data: object, kind: type[T]) -> T:
    """`data`, which the file says, as a `kind`. Raises `Refused`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"{path}: {_sentence(str(error))}.") from None


def _sentence(error: str) -> str:
    """msgspec's message in the words of somebody who edits TOML."""
    message, _, place = error.partition(" - at ")
    where = place.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", message):
        message = f"the key `{missing[1]}` is missing"
    elif unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message):
        message = f"there is no such key as `{unknown[1]}`"
    elif pattern := re.fullmatch(r"Expected `str` matching regex (.*)", message):
        message = f"expected {EXPECTED[ast.literal_eval(pattern[1])]}"
    else:
        message = message[:1].lower() + message[1:]
    return f"{message}, at `{where}`" if where else message


def _refuse_cookie(path: Path, value: object) -> None:
    """A cookie in a file that is built and copied around would be a key that everybody has."""
    if isinstance(value, dict):
        if "cookie" in value:
            raise Refused(
                f"{path} has a cookie in it; take it out: each node makes its own, and `bin/<name> cookie` prints it."
            )
        for part in value.values():
            _refuse_cookie(path, part)
    elif isinstance(value, list):
        for part in value:
            _refuse_cookie(path, part)
