"""The bodies of new modules: a plan executes them in a copy of the node, where they can do no harm."""

from __future__ import annotations

import importlib
import json
import os
import socket
import sqlite3
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


def write(small: SmallNode, body: str, *, prepare: float = 60.0) -> None:
    """Boot release 1; the counter's module of release 2 begins with `body`, which has `prepare` seconds."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": f"{body}\n{COUNTER_2}"}, LOAD_COUNTER)
    settings(small, f"prepare = {prepare}\n")
    small.boot()
    importlib.import_module("shop.counter")


async def test_a_body_that_stops_the_node_for_longer_than_the_limit_needs_consent(small: SmallNode) -> None:
    write(small, "import time\ntime.sleep(0.05)")
    assert (await small.handler.plan("2")).stall is None
    settings(small, "stall = 0.01\n")
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.stall is not None
    assert plan.stall.startswith("The node stops for about ")
    assert plan.stall.endswith("(limit 0.01 s, `stall` in node.toml).")
    assert (await small.install("2")).outcome == "installed", "the client asks for the consent"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_a_body_that_binds_an_address_in_use_is_refused_with_a_remedy(
    small: SmallNode, tmp_path: Path, kind: str
) -> None:
    taken = socket.create_server(("127.0.0.1", 0)) if kind == "tcp" else socket.socket(socket.AF_UNIX)
    if kind == "unix":
        taken.bind(str(tmp_path / "taken"))
    family = "AF_INET" if kind == "tcp" else "AF_UNIX"
    with taken:
        write(small, f"import socket\nserver = socket.socket(socket.{family})\nserver.bind({taken.getsockname()!r})")
        (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason.startswith("shop.counter")
    assert "Address already in use" in blocker.reason
    assert blocker.remedy.startswith(
        "open the socket in a process, because the old version of the module keeps its socket open; or run 'hotdash"
    )
    assert "--cold" in blocker.remedy


async def test_a_body_that_binds_a_free_address_needs_consent(small: SmallNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()
    write(small, f"import socket\nserver = socket.create_server({free!r})")
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.rehearsal is not None
    assert "socket.bind" in (plan.rehearsal.error or "")


async def test_a_body_may_open_a_database_and_a_file_to_append_to(small: SmallNode, tmp_path: Path) -> None:
    """In the copy they are replaced; in the node, they are opened by the thread that uses them."""
    database, log = tmp_path / "orders.db", tmp_path / "orders.log"
    with sqlite3.connect(database) as made:
        made.execute("create table orders (n integer)")
        made.execute("insert into orders values (1)")
    made.close()
    write(
        small,
        f"""
import sqlite3
db = sqlite3.connect({str(database)!r})
ORDERS = db.execute("select count(*) from orders").fetchone()[0]
with db:
    db.execute("insert into orders values (2)")
log = open({str(log)!r}, "a")
log.write("opened")
log.flush()
""",
    )
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.rehearsal and plan.rehearsal.error) == ((), None)
    assert plan.modules[0].opens == (f"database {database}", f"file {log}")
    assert not log.exists()
    installed = await small.install("2")
    assert installed.outcome == "installed"
    counter: Any = sys.modules["shop.counter"]
    assert (counter.ORDERS, log.read_text()) == (1, "opened")
    assert counter.db.execute("select count(*) from orders").fetchone()[0] == 2
    counter.db.close()
    counter.log.close()


async def test_files_that_a_body_opens_beyond_the_limit_are_counted(small: SmallNode, tmp_path: Path) -> None:
    write(small, f"for number in range(23):\n    open({str(tmp_path)!r} + f'/{{number % 22}}', 'a').close()")
    (module,) = (await small.handler.plan("2")).modules
    assert len(module.opens) == 21
    assert module.opens[19:] == (f"file {tmp_path}/19", "2 more")


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
    write(small, body, prepare=0.5 if "within" in reason else 60.0)
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
    assert "sys.path" not in warnings, "a revert takes the entry back"
    assert plan.modules[0].registers == ("sys.path: /somewhere",)
    assert "The body of shop.counter changes the environment variable HOTDASH_TEST; a revert does not undo" in warnings
    assert "The body of shop.counter replaces json.loads; a revert does not undo this." in warnings
    assert "The body of shop.counter replaces json.decoder.JSONDecoder.decode; a revert does not undo this." in warnings
    assert (os.getcwd(), sys.path, json.loads) == (directory, path, loads)
    assert "HOTDASH_TEST" not in os.environ


async def test_what_a_body_patches_in_a_module_that_stays_is_told(small: SmallNode) -> None:
    counter = "def target(): ...\ndef patched(): ...\nfrom shop import kept\n" + COUNTER
    kept = "theme = None\ndef target(): ...\nclass Kept:\n    def m(self): ...\n"
    small.write("1", {"shop.kept": kept, "shop.counter": counter})
    patches = (
        "kept.target = kept.Kept.m = kept.Kept.new = patched\n"
        "class Theme:\n    def title(self): ...\n"
        "kept.theme, kept.title = Theme(), Theme().title\n"
        "kept.limit = 5\n"
    )
    small.write("2", {"shop.kept": kept, "shop.counter": counter + patches}, LOAD_COUNTER)
    small.boot()
    importlib.import_module("shop.counter")
    warnings = [one for one in (await small.handler.plan("2")).warnings if "body" in one and "registries" not in one]
    assert sorted(warnings) == [
        "The body of shop.counter replaces shop.kept.Kept.m; a revert does not undo this.",
        "The body of shop.counter replaces shop.kept.target; a revert does not undo this.",
        "The body of shop.counter replaces shop.kept.theme; a revert does not undo this.",
        "The body of shop.counter sets shop.kept.Kept.new; a revert does not undo this.",
        "The body of shop.counter sets shop.kept.title; a revert does not undo this.",
    ]


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
    write(small, f"import os, signal\nwhile os.getpid() == {os.getpid()}:\n    signal.pause()", prepare=0.5)
    aborted = await small.install("2")
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert "BodyTooSlow: the bodies of the new modules have not ended within 0.5 s" in aborted.error
