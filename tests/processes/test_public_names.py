"""The public names of `node_runtime` are there at their first use, and nothing of the runtime before it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import node_runtime
from node_runtime import public_names


def run(code: str) -> str:
    """What a new Python prints when it runs this code."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_gateway_has_no_code_of_the_runtime_in_its_process() -> None:
    loaded = run("import sys, node_runtime.control.gateway.gateway; print(*sys.modules)").split()
    own = {name.split(".")[1] for name in loaded if name.startswith("node_runtime.")}
    assert own == {"control", "lazy_names", "protocol"}
    assert "asyncio" not in loaded


def test_each_public_name_can_be_imported() -> None:
    names = run("from node_runtime import *; print(*sorted(name for name in dir() if name[0] != '_'))").split()
    assert names == sorted(public_names.__all__)
    assert {"GenServer", "call", "exit"} <= set(names) <= set(dir(node_runtime))


def test_another_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'node_runtime' has no attribute 'nothing'"):
        _ = node_runtime.nothing  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'node_runtime'"):
        from node_runtime import nothing  # type: ignore[attr-defined]  # noqa: F401
