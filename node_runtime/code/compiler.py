"""Compiles the source of a module. A large source is compiled in a separate OS process.

The built-in `compile` keeps the interpreter's lock for the whole call, which takes about 0.4 to 1.4 s for each MB of
source. No other thread of the OS process runs meanwhile, so the event loop stops. Reading code in the format of
`marshal` takes about a thirtieth of that time. The separate process gets the bytes that were hashed, and answers
through a pipe that no other process has.
"""

from __future__ import annotations

import marshal
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from types import CodeType
from typing import Final, NamedTuple

from .imports import Import, Imports, read_imports
from .verified_imports import recorded_code, release_command

MAX_BYTES_COMPILED_HERE: Final = 32 << 10
"""A larger source is compiled in another OS process. Starting that process takes as long as compiling about 300 KB."""
COMPILE_SECONDS: Final = 120.0
"""The time limit of the process that compiles a source."""
ERRORS: Final[dict[str, type[Exception]]] = {
    kind.__name__: kind
    for kind in (SyntaxError, IndentationError, TabError, ValueError, OverflowError, MemoryError, RecursionError)
}
"""The errors that the compiler raises."""
_CHILD: Final = "node_runtime.code.compile_child"


class Compiled(NamedTuple):
    """A compiled source. `stopped` is the number of seconds for which all threads of this OS process were stopped."""

    code: CodeType
    imports: Imports
    stopped: float


Compiler = Callable[[bytes, str, str], Compiled]
"""A function that compiles source bytes. Its other arguments are the file name of the code and the module's package."""


def compile_here(data: bytes, file: str, package: str) -> Compiled:
    """Compile source bytes in this thread. Raises SyntaxError or ValueError."""
    began = perf_counter()
    code = compile(data, file, "exec", dont_inherit=True)
    stopped = perf_counter() - began
    return Compiled(code, read_imports(code, package), stopped)


def load_or_compile(data: bytes, file: str, package: str) -> Compiled:
    """Return the code of source bytes, if possible from the release's bytecode. Raises SyntaxError or ValueError."""
    code = recorded_code(file, data)
    return compile_here(data, file, package) if code is None else Compiled(code, read_imports(code, package), 0.0)


def compile_apart(data: bytes, file: str, package: str) -> Compiled:
    """Compile source bytes. A large source is compiled in another OS process. Blocks. Raises SyntaxError or ValueError.

    If the system can't start the other process, the source is compiled in this one.
    """
    if len(data) <= MAX_BYTES_COMPILED_HERE:
        return compile_here(data, file, package)
    try:
        ended = subprocess.run(
            release_command(_CHILD, file, package, str(sys.flags.optimize)),
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=COMPILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"compiling it takes more than {COMPILE_SECONDS:g} s") from None
    except OSError:
        return compile_here(data, file, package)
    if ended.returncode != 0:
        raise ValueError(f"the process that compiles it ended with code {ended.returncode}")
    return _decoded(ended.stdout)


def encoded(code: CodeType, imports: Imports) -> bytes:
    """Return the bytes that the compiling process sends for `code`."""
    entries = tuple((one.module, one.name, one.alias, one.bound) for one in imports.entries)
    return marshal.dumps((code, entries, imports.modules, imports.names, imports.own))


def encoded_error(error: Exception) -> bytes:
    """Return the bytes that the compiling process sends if the compiler has raised `error`."""
    return marshal.dumps((type(error).__name__, error.args))


def _decoded(answer: bytes) -> Compiled:
    began = perf_counter()
    parts = marshal.loads(answer)
    stopped = perf_counter() - began
    if isinstance(parts[0], str):
        name, args = parts
        raise ERRORS[name](*args)
    code, entries, modules, names, own = parts
    return Compiled(code, Imports(tuple(Import(*entry) for entry in entries), modules, names, own), stopped)
