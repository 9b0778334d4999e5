"""A real OTP that answers one case after the other, for the differential tests; they are skipped without Erlang."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

CASES: Final = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 30
"""The number of random cases of each differential test: a sample in `make test`, many in `make fuzz`."""

needs_erlang = pytest.mark.skipif(shutil.which("escript") is None, reason="there is no Erlang here to compare with")


class Otp:
    """A running escript. It reads Erlang terms, and answers each with a line of JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, term: str) -> Any:
        """Return the answer to one case, given as the text of an Erlang term."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        writer.write(f"{term}.\n")
        writer.flush()
        line = reader.readline()
        assert line, f"the escript ended at {term}"
        return json.loads(line)


@contextmanager
def running_otp(script: Path) -> Iterator[Otp]:
    """Run an escript for all cases of a test, since each start takes a quarter of a second."""
    command = ["escript", str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Otp(process)
        finally:
            process.kill()


def erlang(value: object) -> str:
    """Return a value as the text of an Erlang term: a str is an atom, a dict is a map."""
    match value:
        case bool() | str():
            return str(value).lower()
        case int():
            return str(value)
        case tuple():
            return f"{{{','.join(map(erlang, value))}}}"
        case list():
            return f"[{','.join(map(erlang, value))}]"
        case dict():
            return f"#{{{','.join(f'{erlang(key)}=>{erlang(item)}' for key, item in value.items())}}}"
    raise TypeError(f"{value!r} has no form in Erlang")


def as_json(value: object) -> object:
    """Return a value in the form in which an escript answers: tuples as lists, bools as words."""
    match value:
        case bool():
            return str(value).lower()
        case tuple() | list():
            return [as_json(item) for item in value]
    return value
