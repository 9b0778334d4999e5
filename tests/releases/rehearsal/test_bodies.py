"""The bodies of new modules: a plan executes them in a copy of the node, where they can do no harm."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.projects.rehearsed_shop import settings
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def write(small: SmallNode, body: str) -> None:
    """Boot release 1; the counter's module of release 2 begins with `body`."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": f"{body}\n{COUNTER_2}"}, LOAD_COUNTER)
    settings(small, "prepare = 0.5\n")
    small.boot()
    importlib.import_module("shop.counter")


HARMFUL = {
    "a loop": ("while True:\n    pass", "shop.counter: its body has not ended within 0.5 s"),
    "a swallowed interruption": (
        "import signal\ntry:\n    signal.pause()\nexcept BaseException:\n    pass",
        "shop.counter: its body has not ended within 0.5 s",
    ),
    "the end of its process": (
        "import os\nos._exit(3)",
        "shop.counter: its body ended the copy of the node that it ran in",
    ),
}


@pytest.mark.parametrize("what", HARMFUL)
async def test_a_body_that_would_harm_the_node_is_refused_by_the_plan_and_by_an_install(
    small: SmallNode, what: str
) -> None:
    body, reason = HARMFUL[what]
    write(small, body)
    plan = await small.handler.plan("2")
    assert [blocker.reason for blocker in plan.blockers] == [reason]
    assert plan.rehearsal is None
    aborted = await small.install("2")
    assert (aborted.outcome, aborted.error) == ("aborted", f"{reason}.")
    assert small.handler.vsn == "1"


NEEDS_THE_NODE = {
    "a thread": ("import threading\nthreading.Thread(target=list).start()", "starts a thread"),
    "a file": ("open('PATH', 'w').close()", "writes a file"),
    "the event loop": ("import asyncio\nLOOP = asyncio.get_running_loop()\nLOOP.time()", "uses the event loop"),
}


@pytest.mark.parametrize("what", NEEDS_THE_NODE)
async def test_a_body_that_needs_the_real_node_needs_consent(small: SmallNode, tmp_path: Path, what: str) -> None:
    body, clause = NEEDS_THE_NODE[what]
    touched = tmp_path / "touched"
    write(small, body.replace("PATH", str(touched)))
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.rehearsal is not None
    assert plan.rehearsal.error == f"shop.counter: its body {clause}, which can't be rehearsed"
    assert plan.rehearsal.bodies is None
    assert not touched.exists()
    refused = await small.install("2")
    assert refused.error is not None
    assert refused.error.endswith(f"its body {clause}, which can't be rehearsed; pass --unrehearsed to proceed anyway")
    installed = await small.install("2", unrehearsed=True)
    assert installed.error is None
    assert installed.outcome == "installed"
    assert touched.exists() is (what == "a file")


async def test_what_a_body_changes_outside_of_its_module_is_told_and_not_done(small: SmallNode, tmp_path: Path) -> None:
    write(
        small,
        f"""
import json
import os
import sys

os.chdir({str(tmp_path)!r})
sys.path.append("/somewhere")
os.environ["HOTDASH_TEST"] = "1"

def loads(text):
    return {{}}

def decode(self, text):
    return {{}}

json.loads = loads
json.JSONDecoder.decode = decode
""",
    )
    directory, path, loads = os.getcwd(), list(sys.path), json.loads
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    warnings = "\n".join(plan.warnings)
    assert f"The body of shop.counter changes the working directory to {tmp_path}; a revert does not undo" in warnings
    assert "The body of shop.counter changes sys.path (adds /somewhere); a revert does not undo this." in warnings
    assert "The body of shop.counter replaces json.loads; a revert does not undo this." in warnings
    assert "The body of shop.counter replaces json.decoder.JSONDecoder.decode; a revert does not undo this." in warnings
    assert (os.getcwd(), sys.path, json.loads) == (directory, path, loads)
    assert "HOTDASH_TEST" not in os.environ


async def test_a_body_runs_in_the_node_once_on_the_loops_thread(small: SmallNode) -> None:
    runs: Any = type(sys)("body_runs")
    sys.modules["body_runs"] = runs
    runs.threads = []
    write(small, "import body_runs, threading\nbody_runs.threads.append(threading.get_ident())")
    await small.handler.plan("2")
    assert runs.threads == []
    installed = await small.install("2")
    assert installed.outcome == "installed"
    assert runs.threads == [threading.get_ident()]
    assert installed.pause
    del sys.modules["body_runs"]


async def test_a_body_that_hangs_in_the_node_only_is_interrupted(small: SmallNode) -> None:
    write(small, f"import os, signal\nwhile os.getpid() == {os.getpid()}:\n    signal.pause()")
    aborted = await small.install("2")
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert "BodyTooSlow: the bodies of the new modules have not ended within 0.5 s" in aborted.error
