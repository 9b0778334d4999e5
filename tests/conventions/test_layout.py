"""The layout of the packages: small folders, small files, no module that nothing imports."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

import pytest

from hotdash.cli.verb_group import VERBS
from tests.support.sources import PACKAGES, files, module_name, modules, text, tree

MAX_MODULES: Final = 20
"""Modules in one folder, so that its names can be read at a glance."""
MAX_LINES: Final = 400
"""Lines of one file."""
KINDS: Final = frozenset(
    {
        "attacks",
        "benchmarks",
        "browser",
        "cases",
        "conformance",
        "differential",
        "conventions",
        "docs",
        "e2e",
        "examples",
        "faults",
        "frameworks",
        "fuzz",
        "properties",
        "support",
        "typing",
    }
)
"""Folders of tests that mirror no folder of a package."""
STARTED: Final = frozenset(
    {
        "hotdash.__main__",  # python -m hotdash
        "node_runtime.cli.launcher.script",  # becomes bin/<name>
        "node_runtime.cli.enter",  # started by its path
        "node_runtime.cli.launcher.verbs",  # bin/<name> imports it as _launcher.verbs
        "node_runtime",
        "node_runtime.application",
        "node_runtime.gen_server",
        "node_runtime.gen_statem",
        "node_runtime.supervisor",
        "node_runtime.sys",
        "node_runtime.testing.plugin",  # an entry point, which pytest loads
    }
)
"""Modules that need no importer: people start them, or users import them."""
ALL_MODULES: Final = tuple(path for package in PACKAGES for path in modules(package))


def imported(path: str) -> Iterator[str]:
    """The dotted names that a module imports, and those in its strings, which name modules to start."""
    package = PurePath(path).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            home = ".".join((*base, *((node.module,) if node.module else ())))
            yield home
            yield from (f"{home}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def test_no_folder_holds_more_modules_than_can_be_read_at_a_glance() -> None:
    folders = Counter(str(PurePath(path).parent) for path in ALL_MODULES)
    assert {folder: count for folder, count in folders.items() if count > MAX_MODULES} == {}


def test_no_folder_of_tests_holds_more_modules_than_can_be_read_at_a_glance() -> None:
    folders = Counter(str(PurePath(path).parent) for path in files("tests/**/*.py"))
    assert {folder: count for folder, count in folders.items() if count > MAX_MODULES} == {}


def test_each_folder_of_tests_mirrors_a_folder_of_a_package_or_is_of_a_known_kind() -> None:
    mirrored = {PurePath(path).parent for path in ALL_MODULES}
    folders = {PurePath(path).parent.relative_to("tests") for path in files("tests/**/*.py")} - {PurePath()}
    unknown = {
        str(folder)
        for folder in folders
        if folder not in mirrored and PurePath("node_runtime", folder) not in mirrored and folder.parts[0] not in KINDS
    }
    assert unknown == set()


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {path: len(text(path).splitlines()) for path in ALL_MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_each_module_is_imported_by_another_one_or_started_by_its_name() -> None:
    verbs = {f"hotdash.cli.{module}" for module in VERBS.values()}
    used = {name for path in ALL_MODULES for name in imported(path)} | STARTED | verbs
    packages = {module_name(path) for path in ALL_MODULES if path.endswith("__init__.py")}
    assert {module_name(path) for path in ALL_MODULES} - packages - used == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_file_imports_from_its_folder_and_below_relatively_and_all_else_by_its_whole_name(package: str) -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in modules(package)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        if node.level > 1 or (node.level == 0 and is_below(node.module, PurePath(path).parent))
    ]
    assert wrong == []


def is_below(name: str | None, folder: PurePath) -> bool:
    """Returns whether an absolute name is that of the folder or of something in it."""
    return name is not None and f"{name}.".startswith(f"{'.'.join(folder.parts)}.")


def imported_when_run(path: str) -> set[str]:
    """The project's modules that a module imports when it runs, in functions too; not those for type checkers only."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            if isinstance(child, ast.ImportFrom):
                package = PurePath(path).parent.parts
                base = package[: len(package) - child.level + 1] if child.level else ()
                home = ".".join((*base, *((child.module,) if child.module else ())))
                found.update(
                    name if name in ALL_NAMES else home for name in (f"{home}.{alias.name}" for alias in child.names)
                )
            elif isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            visit(child)

    visit(tree(path))
    return (found & ALL_NAMES) - {module_name(path)}


ALL_NAMES: Final = frozenset(module_name(path) for path in ALL_MODULES)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module_name(path): imported_when_run(path) for path in ALL_MODULES}
    while leaves := {name for name, imports in graph.items() if not imports & graph.keys()}:
        graph = {name: imports for name, imports in graph.items() if name not in leaves}
    # What is left imports, or is imported by, the modules of a circle.
    assert graph == {}
