"""The OS process that compiles one large source for a node. See `compiler`."""

from __future__ import annotations

import os
import sys

from .compiler import ERRORS, encoded, encoded_error
from .imports import read_imports


def main(arguments: list[str]) -> None:
    """Compile the source on the standard input, and write the code to the standard output.

    The arguments are the file name of the code, the package of the module, and the level of optimization.
    """
    file, package, optimize = arguments
    data = sys.stdin.buffer.read()
    try:
        code = compile(data, file, "exec", dont_inherit=True, optimize=int(optimize))
        answer = encoded(code, read_imports(code, package))
    except tuple(ERRORS.values()) as error:
        answer = encoded_error(error)
    with open(1, "wb", closefd=False) as output:
        output.write(answer)
    os._exit(0)
