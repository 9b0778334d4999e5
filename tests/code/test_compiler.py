"""Large sources are compiled in another OS process, with the same result."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from node_runtime.code.compiler import MAX_BYTES_COMPILED_HERE, compile_apart, compile_here

LINES = "".join(f"def f{number}(a, *, b={number}):\n    return a + b + {number}\n" for number in range(2000))
LARGE = f'"""A large module."""\nfrom . import sibling as s\nfrom x import *\n{LINES}LAST = f1999(1)\n'.encode()

compiled: list[Any] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "compile":
        compiled.append(arguments[1])


sys.addaudithook(_note)


def test_a_large_source_is_compiled_elsewhere_with_the_same_result() -> None:
    assert len(LARGE) > MAX_BYTES_COMPILED_HERE
    code, imports, _ = compile_apart(LARGE, "/lib/large.py", "pkg")
    assert "/lib/large.py" not in compiled
    here, imports_here, _ = compile_here(LARGE, "/lib/large.py", "pkg")
    assert (code, imports) == (here, imports_here)
    assert code.co_filename == "/lib/large.py"


def test_a_small_source_is_compiled_here() -> None:
    compile_apart(b"X = 1\n", "/lib/small.py", "pkg")
    assert "/lib/small.py" in compiled


@pytest.mark.parametrize(
    ("last", "error", "line"), [(b"def :\n", SyntaxError, 4005), (b"  x\n", IndentationError, 4005)]
)
def test_an_error_of_the_other_process_is_the_same(last: bytes, error: type[SyntaxError], line: int) -> None:
    with pytest.raises(error) as raised:
        compile_apart(LARGE + last, "/lib/wrong.py", "pkg")
    assert (raised.value.filename, raised.value.lineno) == ("/lib/wrong.py", line)
