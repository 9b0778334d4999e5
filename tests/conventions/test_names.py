"""Names of classes and aliases: each has one meaning within a package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.support.sources import PACKAGES, modules, tree

GENERIC = {"TypeVar", "ParamSpec", "TypeVarTuple"}
"""A type variable is a parameter and has no meaning of its own."""


def defined(node: ast.Module) -> Iterator[str]:
    """The classes of a module, nested ones too, and the aliases and class-like values that it assigns."""
    yield from (part.name for part in ast.walk(node) if isinstance(part, ast.ClassDef))
    for statement in node.body:
        if isinstance(statement, ast.Assign) and not is_generic(statement.value):
            yield from (name.id for name in statement.targets if isinstance(name, ast.Name) and is_camel_case(name.id))
        elif isinstance(statement, ast.AnnAssign) and is_camel_case(name := ast.unparse(statement.target)):
            yield name


def is_generic(value: ast.expr) -> bool:
    """Returns whether the value is a type variable."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in GENERIC


def is_camel_case(name: str) -> bool:
    """Returns whether a name is in camel case: `Pid`, `_Table`, but not `LIMIT` or `limit`."""
    bare = name.lstrip("_")
    return bare[:1].isupper() and not bare.isupper()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_class_or_alias_is_defined_twice_in_a_package(package: str) -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in modules(package):
        for name in defined(tree(path)):
            homes[name.lstrip("_")].append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}
