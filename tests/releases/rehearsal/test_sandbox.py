"""The sandbox: a rehearsed code_change that asks for more than its state is denied, and the rehearsal reports it."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.rehearsed_shop import changing, only, start_counters

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


OUTSIDE = {
    "the runtime": ('from node_runtime import whereis\nwhereis("x")\nreturn dict(state)', "calls the runtime"),
    "a cast": (
        'from node_runtime import cast\ncast("counter5", cls.add)\nreturn dict(state)',
        "calls the runtime",
    ),
    "a swallowed error": (
        'from node_runtime import send\ntry:\n    send("x", 1)\nexcept BaseException: pass\nreturn dict(state)',
        "calls the runtime",
    ),
    "the event loop": ("import asyncio\nasyncio.get_running_loop().create_future()", "uses the event loop"),
    "a file": ('open("PATH", "w").write("!")\nreturn dict(state)', "writes a file"),
    "a connection": (
        'import socket\nsocket.create_connection(("127.0.0.1", PORT))\nreturn dict(state)',
        "acts on something outside of the node (socket.",
    ),
    "a program": (
        'import subprocess\nsubprocess.run(["touch", "PATH"])\nreturn dict(state)',
        "acts on something outside of the node (subprocess.Popen)",
    ),
    "a signal": (
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nreturn dict(state)",
        "acts on something outside of the node (os.kill)",
    ),
    "a thread": (
        "import threading\nthreading.Thread(target=print).start()\nreturn dict(state)",
        "starts a thread",
    ),
    "the working directory": (
        "import os\nos.chdir('/')\nreturn dict(state)",
        "acts on something outside of the node (os.",
    ),
    "a signal handler": (
        "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\nreturn dict(state)",
        "changes how the node handles signals",
    ),
    "a descriptor": ("import os\nos.write(1, b'!')\nreturn dict(state)", "uses an open file or socket of the node"),
}


@pytest.mark.parametrize("what", OUTSIDE)
async def test_effects_that_cannot_be_rehearsed_need_consent_and_do_not_happen(
    small: SmallNode, tmp_path: Path, what: str
) -> None:
    body, words = OUTSIDE[what]
    touched = tmp_path / "touched"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        body = body.replace("PATH", str(touched)).replace("PORT", str(server.getsockname()[1]))
        live = f"import os\nif os.getpid() == {os.getpid()}:\n    return dict(state)\n"
        await start_counters(small, changing(live + body), 5)
        plan = await small.handler.plan("2")
        one = only(plan)
        assert one.outcome == "unrehearsed"
        assert one.message is not None
        assert one.message.startswith(f"its code_change {words}")
        assert plan.blockers == ()
        assert plan.rehearsal is not None
        assert plan.rehearsal.unrehearsed == 1

        refused = await small.install("2")
        assert refused.outcome == "aborted"
        assert refused.error is not None
        assert "counter5" in refused.error
        assert refused.error.endswith("pass --unrehearsed to proceed anyway")
        assert not touched.exists()
        with pytest.raises(BlockingIOError):
            server.accept()
        assert (await small.install("2", unrehearsed=True)).outcome == "installed"


async def test_an_event_loop_that_the_state_refers_to_cannot_be_used(small: SmallNode) -> None:
    await start_counters(small, changing('state["loop"].call_soon(print)\nreturn dict(state)'), 5)
    live_processes.raw_state("counter5")["loop"] = asyncio.get_running_loop()
    one = only(await small.handler.plan("2"))
    assert (one.outcome, one.message) == (
        "unrehearsed",
        "its code_change uses the event loop, which can't be rehearsed",
    )


WRAPPED = {
    "as it is": "",
    "swallowed for another one": "raise RuntimeError('no database') from None",
    "told in words": "raise ValueError('driver: Bad file descriptor') from None",
}


@pytest.mark.parametrize("how", WRAPPED)
async def test_a_library_whose_file_is_closed_is_not_a_failure(small: SmallNode, tmp_path: Path, how: str) -> None:
    again = WRAPPED[how] or "raise"
    body = f"""
try:
    rows = state["db"].execute("select count(*) from sales").fetchone()
except Exception:
    {again}
return {{**state, "rows": rows[0]}}
"""
    await start_counters(small, changing(body.strip()), 5)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("create table sales (price)")
        database.commit()
        live_processes.raw_state("counter5")["db"] = database
        plan = await small.handler.plan("2")
        one = only(plan)
        assert (one.outcome, one.message) == (
            "unrehearsed",
            "its code_change uses an open file or socket of the node, which can't be rehearsed",
        )
        assert plan.blockers == ()
        assert (await small.install("2", unrehearsed=True)).outcome == "installed"
        assert live_processes.raw_state("counter5")["rows"] == 0


ENDING = """
import os

class Sheet:
    def __init__(self, path):
        self.path = path

    def __del__(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
"""


async def test_finalizers_of_a_state_in_the_rehearsal_do_not_affect_the_node(small: SmallNode, tmp_path: Path) -> None:
    first = ENDING + changing("return state")
    second = ENDING + changing('state.clear()\nreturn {"count": 0}')
    await start_counters(small, second, 5, first=first)
    paper = tmp_path / "paper"
    paper.touch()
    live_processes.raw_state("counter5")["sheet"] = importlib.import_module("shop.counter").Sheet(str(paper))
    await small.handler.plan("2")
    assert paper.exists()
