"""Docstrings of the public functions: their effect, units, errors and OTP's page."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType
from typing import Any

import pytest

from node_runtime import Application, GenServer, GenStatem, Runtime
from tests.support.errors_raised import errors_raised

PUBLIC = ("", ".supervisor", ".application", ".sys", ".gen_server", ".gen_statem", ".web")
MACHINERY = frozenset(vars(Runtime)) - {"start", "stop", "subscribe"}
"""Methods of the runtime for the layers above, not for users."""


def documented() -> Iterator[tuple[str, Any]]:
    """The public classes and functions of this project."""
    for suffix in PUBLIC:
        module = import_module(f"node_runtime{suffix}")
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and getattr(value, "__module__", "").startswith("node_runtime"):
                yield f"{module.__name__}.{name}", value


def methods(owner: type) -> Iterator[tuple[str, FunctionType]]:
    """The public methods that a class defines, getters of properties among them."""
    for name, value in vars(owner).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function


def functions() -> Iterator[tuple[str, FunctionType]]:
    """All functions that users call: public ones, and methods of public classes that are not callbacks."""
    for name, value in documented():
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and not issubclass(value, GenServer | GenStatem | Application):
            for member, function in methods(value):
                if value is not Runtime or member not in MACHINERY:
                    yield f"{name}.{member}", function


def text_of(value: Any) -> str:
    """Its docstring, and those of the functions that it refers to as "like `other`" or "like `module.other`"."""
    doc: str = value.__doc__ or ""
    for name in re.findall(r"\b[Ll]ike\s+`([\w.]+)`", doc):
        module, _, function = name.rpartition(".")
        home = import_module(f"node_runtime.{module}") if module else inspect.getmodule(value)
        other = getattr(home, function, None)
        if inspect.isfunction(other) and other is not value:
            doc += text_of(other)
    return doc


def parameters(value: Any) -> dict[str, str]:
    """The annotations of a function's parameters, or of a class's fields, as strings."""
    if inspect.isclass(value):
        return {name: str(kind) for name, kind in inspect.get_annotations(value).items() if "ClassVar" not in str(kind)}
    return {name: str(one.annotation) for name, one in inspect.signature(value).parameters.items()}


def test_each_public_name_names_the_otp_page_it_follows_or_says_that_there_is_none() -> None:
    silent = [name for name, value in documented() if not re.search(r"\bOTP\b|\bFollows\b", value.__doc__ or "")]
    assert silent == []


def test_each_public_method_of_a_public_class_has_a_docstring() -> None:
    silent = []
    for name, value in documented():
        for member, function in methods(value) if inspect.isclass(value) else ():
            if not function.__doc__:
                silent.append(f"{name}.{member}")
    assert silent == []


def test_each_time_parameter_has_its_unit_in_the_docstring() -> None:
    """All times in the API are floats, and all floats are times."""
    silent = []
    for name, value in (*documented(), *functions()):
        times = [name for name, kind in parameters(value).items() if re.search(r"\bfloat\b", kind)]
        doc = text_of(value)
        silent += [f"{name}({time})" for time in times if f"`{time}`" not in doc or not re.search(r"\bseconds\b", doc)]
    assert sorted(set(silent)) == []


def test_each_number_parameter_is_explained_in_the_docstring() -> None:
    silent = []
    for name, value in (*documented(), *functions()):
        numbers = [name for name, kind in parameters(value).items() if re.search(r"\bint\b", kind)]
        silent += [f"{name}({number})" for number in numbers if f"`{number}`" not in text_of(value)]
    assert sorted(set(silent)) == []


@pytest.mark.parametrize(("name", "function"), list(functions()))
def test_each_function_names_the_errors_that_it_raises(name: str, function: FunctionType) -> None:
    doc = text_of(function)
    silent = [error.__name__ for error in errors_raised(function) if not re.search(rf"\b{error.__name__}\b", doc)]
    assert sorted(silent) == []


def test_every_error_named_in_a_docstring_exists() -> None:
    """Otherwise a docstring could name an error that was renamed."""
    package = import_module("node_runtime")
    ours = {name.rpartition(".")[2] for name, _ in documented()} | {"Refused"}
    unknown = []
    for name, function in functions():
        for sentence in re.findall(r"Raises ([^.]*)", function.__doc__ or ""):
            for error in re.findall(r"\b[A-Z]\w+", sentence):
                known = error in ours or hasattr(builtins, error) or hasattr(package, error)
                unknown += [] if known else [f"{name}: {error}"]
    assert unknown == []
