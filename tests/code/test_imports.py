"""Imports as read from a module's bytecode, on every Python that runs this."""

from __future__ import annotations

import pytest

from node_runtime.code.imports import Import, read_imports, reads_of_body


def entries(text: str, package: str = "pkg.deep") -> list[tuple[str, str | None, str, bool]]:
    code = compile(text, "m.py", "exec", dont_inherit=True)
    return [(e.module, e.name, e.alias, e.bound) for e in read_imports(code, package).entries]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b", [("a.b", None, "a.b", True)]),
        ("import a.b as c", [("a.b", None, "a.b", True)]),
        ("from a import b, c as d", [("a", "b", "b", True), ("a", "c", "d", True)]),
        ("from a import *", [("a", "*", "*", True)]),
        ("from . import a", [("pkg.deep", "a", "a", True)]),
        ("from ..low import a as b", [("pkg.low", "a", "b", True)]),
        ("from ....too.far import a", []),
        ("def f():\n    from a import b as c\n    return c", [("a", "b", "c", False)]),
        ("class C:\n    import a", [("a", None, "a", False)]),
        ("def f():\n    def g():\n        nonlocal b\n        from a import b\n    b = 1", [("a", "b", "b", False)]),
        ("if x:\n    from a import b\nelse:\n    from c import b", [("a", "b", "b", True), ("c", "b", "b", True)]),
    ],
)  # fmt: skip
def test_every_form_of_import_is_understood(text: str, expected: object) -> None:
    assert entries(text) == expected


def test_a_module_with_more_names_than_fit_an_instruction_is_read() -> None:
    text = "".join(f"x{i} = {i}.5\n" for i in range(600)) + "from a import b, c as d\n"
    assert entries(text) == [("a", "b", "b", True), ("a", "c", "d", True)]


def test_the_names_that_code_reads_are_kept_for_star_imports_only() -> None:
    text = "def f(x):\n    y = x\n    return used(y).attribute\nalso = there\n"
    assert read_imports(compile(text, "m.py", "exec"), "").names == frozenset()
    starred = read_imports(compile("from a import *\n" + text, "m.py", "exec"), "")
    assert starred.names == {"used", "there"}
    assert Import("a", "*", "*", bound=True) in starred.entries


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = a.b.c", ["a.b.c"]),
        ("x = None.__class__.__name__", []),
        ("x = (lambda: 0).__code__.co_name", []),
        ("x = f(a or 1).b.c", ["f", "a"]),
        ("x = a[0].b.c", ["a"]),
        ("x = f(a.b, c.d.e).g.h", ["f", "a.b", "c.d.e"]),
        ("x = a.b(1).c.d", ["a.b"]),
        (f"{'; '.join(f'x.y{i}' for i in range(300))}; z = a.b.c", [*(f"x.y{i}" for i in range(300)), "a.b.c"]),
    ],
)
def test_attributes_belong_to_a_name_only_if_they_are_read_from_it_directly(text: str, names: list[str]) -> None:
    assert [".".join(read.name) for read in reads_of_body(compile(text, "m.py", "exec"))] == names
