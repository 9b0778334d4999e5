"""Templates become modules that render as Jinja2 does."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.templates import compile_template, compile_templates
from node_runtime.releases.files.schemas import Templates


def module(source: bytes) -> ModuleType:
    made = ModuleType("root_dtl")
    made.__file__ = "root_dtl.py"
    exec(compile(source, "root_dtl.py", "exec"), made.__dict__)
    return made


def test_a_template_renders_from_its_module(tmp_path: Path) -> None:
    template = tmp_path / "root.dtl"
    template.write_text("{% for n in names %}<b>{{ n }}</b>{% endfor %}\n{{ missing }}!")
    assert module(compile_template(template)).render(names=["a", "<x>"]) == "<b>a</b><b>&lt;x&gt;</b>\n!"


def test_equal_templates_give_equal_modules(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "root.dtl").write_text("{% macro m(a) %}{{ a|upper|e }}{% endmacro %}{{ m(x) }}{{ m(y) }}")
    assert compile_template(tmp_path / "one/root.dtl") == compile_template(tmp_path / "two/root.dtl")


def test_modules_are_named_as_the_application_says(tmp_path: Path) -> None:
    (tmp_path / "priv").mkdir()
    for name in ("root.dtl", "other.dtl", "notes.txt"):
        (tmp_path / "priv" / name).write_text("x")
    modules = compile_templates(tmp_path, Templates(source="priv", package="fil.web", extension=".dtl", suffix="_dtl"))
    assert sorted(modules) == ["fil/web/other_dtl.py", "fil/web/root_dtl.py"]


def test_a_mistake_in_a_template_is_refused_with_its_line(tmp_path: Path) -> None:
    template = tmp_path / "root.dtl"
    template.write_text("fine\n{% if %}")
    with pytest.raises(Refused, match=r"root\.dtl, line 2"):
        compile_template(template)


def test_a_template_that_needs_another_one_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "root.dtl"
    template.write_text('{% extends "base.dtl" %}')
    with pytest.raises(Refused, match="can't include or extend others"):
        compile_template(template)
