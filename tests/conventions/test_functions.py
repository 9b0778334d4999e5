"""The signatures of functions: few parameters, so that a call can be read."""

from __future__ import annotations

import ast
from typing import Final

import pytest

from tests.support.sources import PACKAGES, modules, tree

MAX_PARAMETERS: Final = 7
"""Parameters of one function, `self` included. More belong in a dataclass, which names what they have in common."""


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The number of parameters of a function; `*args` and `**kwargs` count once each."""
    arguments = function.args
    named = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    return named + (arguments.vararg is not None) + (arguments.kwarg is not None)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_has_too_many_parameters(package: str) -> None:
    counts = {
        f"{path}:{node.name}": parameters(node)
        for path in modules(package)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in counts.items() if count > MAX_PARAMETERS} == {}
