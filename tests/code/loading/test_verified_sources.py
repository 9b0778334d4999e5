"""Sources whose hash is known: a load refuses other bytes, and names the file."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from node_runtime.code import LoadFailed, Source
from node_runtime.code.verified_imports import release_command
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]


def with_hash(source: Source) -> Source:
    return replace(source, sha256=hashlib.sha256(Path(source.path).read_bytes()).hexdigest())


def test_a_changed_file_is_not_executed_by_a_first_import(app: App) -> None:
    source = with_hash(app.write(a="x = 1\n")["a"])
    app.server.add_sources("shop", [source])
    Path(source.path).write_text("raise SystemExit('executed')\n")
    with pytest.raises(ValueError, match=r"it differs from the build of shop 1\.0; stage the tarball again"):
        imported("a")
    Path(source.path).write_text("x = 1\n")
    assert imported("a").x == 1


def test_a_changed_file_is_not_executed_by_a_load(app: App) -> None:
    app.boot(a="x = 1\n")
    imported("a")
    source = with_hash(app.write(a="x = 2\n")["a"])
    Path(source.path).write_text("raise SystemExit('executed')\n")
    with pytest.raises(LoadFailed, match=r"it differs from the build of shop 2\.0") as failed:
        app.server.prepare([source])
    assert failed.value.path == source.path
    assert imported("a").x == 1


def test_a_changed_file_is_still_reported_as_drift(app: App) -> None:
    source = with_hash(app.write(a="x = 1\n")["a"])
    app.server.add_sources("shop", [source])
    imported("a")
    Path(source.path).write_text("x = 2\n")
    assert [drift.module for drift in app.server.modified()] == ["a"]


def test_outside_of_a_release_the_command_for_another_process_runs_in_this_environment() -> None:
    command = release_command("timeit", "-n1", "-r1", "-s", "import msgspec; print(msgspec.__name__)")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("msgspec\n")
