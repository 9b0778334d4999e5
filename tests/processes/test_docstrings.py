"""What users call says in its docstring what it does and which page of OTP it follows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module

PUBLIC = ("", ".supervisor", ".application", ".sys", ".gen_server", ".gen_statem", ".web")


def documented() -> Iterator[tuple[str, object]]:
    """The public classes and functions that are ours."""
    for suffix in PUBLIC:
        module = import_module(f"node_runtime{suffix}")
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and getattr(value, "__module__", "").startswith("node_runtime"):
                yield f"{module.__name__}.{name}", value


def test_each_public_name_says_which_page_of_otp_it_follows_or_that_there_is_none() -> None:
    silent = [name for name, value in documented() if not re.search(r"\bOTP\b|\bFollows\b", value.__doc__ or "")]
    assert silent == []


def test_each_public_method_of_a_public_class_says_what_it_does() -> None:
    silent = []
    for name, value in documented():
        for member, method in vars(value).items() if inspect.isclass(value) else ():
            function = getattr(method, "fget", None) or getattr(method, "__func__", method)
            if inspect.isfunction(function) and not member.startswith("_") and not function.__doc__:
                silent.append(f"{name}.{member}")
    assert silent == []
