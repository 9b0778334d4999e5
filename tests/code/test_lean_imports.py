"""The OS processes that a node starts, and the plugin of pytest, import no part of the runtime, so they start fast."""

from __future__ import annotations

import subprocess
import sys

import pytest


def imported_with(module: str) -> set[str]:
    """The modules that a new Python has imported when it has imported this one."""
    line = [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"]
    return set(subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "node_runtime.control.gateway.gateway",
        "node_runtime.releases.store.stage_child",
        "node_runtime.releases.store.bytecode.compile_child",
    ],
)
def test_a_process_that_a_node_starts_has_no_event_loop(module: str) -> None:
    assert imported_with(module) & {"asyncio", "node_runtime.processes"} == set()


def test_the_plugin_imports_nothing_of_the_runtime_until_a_test_uses_a_fixture() -> None:
    found = {name for name in imported_with("node_runtime.testing.plugin") if name.startswith("node_runtime.")}
    assert found == {"node_runtime.lazy_names", "node_runtime.testing", "node_runtime.testing.plugin"}
