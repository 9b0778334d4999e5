"""nine9s on real nodes, as visitors see it during upgrades, and the outcome of the blog post's order."""

from __future__ import annotations

from tests.support.waiting import until

import itertools
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.nodes.fil_node import build, command
from tests.support.nodes.nine9s_node import EXAMPLES, NAME, Nine9sNode, Visitor, running

HELLO = (200, "Hello world!")
HELLO_2 = (200, "Hello world 2 !")
VISITORS = 3
IDLE_CLIENTS = 1000


@pytest.fixture(scope="module")
def tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version."""
    output = tmp_path_factory.mktemp("nine9s")
    return {project.name: build(project, output) for project in sorted(EXAMPLES.iterdir())}


@pytest.fixture
def node(tarballs: dict[str, Path], tmp_path: Path) -> Iterator[Nine9sNode]:
    """A node that runs 0.1.0 and has 0.2.0 unpacked."""
    with running(tarballs["0.1.0"], tmp_path) as started:
        started.bin("unpack", tarballs["0.2.0"])
        yield started


@contextmanager
def idle_clients(node: Nine9sNode) -> Iterator[None]:
    """A thousand clients that have connected: every second one says nothing, the others half of a request.

    When they have left, the node has closed their connections.
    """
    process = psutil.Process(int(node.bin("pid").stdout))
    before = process.num_fds()
    with ExitStack() as stack:
        for number in range(IDLE_CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=60))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" * (number % 2))
        until(lambda: process.num_fds() >= before + IDLE_CLIENTS, what="the node has accepted the idle clients")
        yield
    until(lambda: process.num_fds() < before + 100, what="the connections of idle clients are closed")


def test_upgrade_and_downgrade_fail_no_request(node: Nine9sNode) -> None:
    is_0_1_0(node)
    with ExitStack() as stack:
        stack.enter_context(idle_clients(node))
        greeted = [stack.enter_context(Visitor(node, "/")) for _ in range(VISITORS)]
        counting = [stack.enter_context(Visitor(node, "/count")) for _ in range(VISITORS)]
        everybody = [*greeted, *counting]
        some_more(everybody)

        node.bin("upgrade", "--yes", "0.2.0")
        some_more(everybody)
        is_0_2_0(node)

        node.bin("downgrade", "--yes", "0.1.0")
        some_more(everybody)
        is_0_1_0(node)

        node.bin("upgrade", "--yes", "0.2.0")
        some_more(everybody)
        is_0_2_0(node)

    assert [trouble for visitor in everybody for trouble in visitor.trouble] == []
    for visitor in greeted:
        assert [answer for answer, _ in itertools.groupby(visitor.answers)] == [HELLO, HELLO_2, HELLO, HELLO_2]
    for visitor in counting:
        runs = [(status, [body for _, body in run]) for status, run in itertools.groupby(visitor.answers, status_of)]
        assert [status for status, _ in runs] == [404, 200, 404, 200]
        counts = [[int(body) for body in bodies] for status, bodies in runs if status == 200]
        assert all(run == sorted(run) for run in counts)
        assert counts[0][-1] > counts[0][0]
        assert counts[1][0] < counts[0][-1], "the second counter goes on where the first ended"

    assert said(node) == [
        f"nine9s says hello on port {node.port}",
        "/count is there",
        "/count is gone",
        "/count is there",
    ]

    count = int(node.get("/count")[1])
    assert [node.get("/") for _ in range(7)] == [HELLO_2] * 7
    assert node.get("/count") == (200, str(count + 7))
    assert int(node.get("/count")[1]) <= answers(greeted, HELLO_2) + 7


@pytest.mark.slow  # install/test_ended_operations.py has such a correction
def test_a_correction_can_be_installed_right_after_a_rollback(node: Nine9sNode, tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLES / "0.2.0", tmp_path / "0.2.1")
    app = project / "apps" / "nine9s"
    for file in (project / "release.toml", app / "app.toml", app / "appup.toml"):
        file.write_text(file.read_text().replace('vsn = "0.2.0"', 'vsn = "0.2.1"'))
    for module in ("state_handler", "count_handler", "default_handler"):
        with (app / "src" / "nine9s" / f"{module}.py").open("a") as source:
            source.write("\nCORRECTED = True\n")
    node.bin("unpack", build(project, tmp_path))

    node.bin("upgrade", "--yes", "0.2.0")
    assert node.get("/count") == (200, "0")
    node.bin("rollback", "--yes")
    node.bin("upgrade", "--yes", "0.2.1")
    assert running_vsn(node) == "0.2.1"
    assert node.get("/count") == (200, "0")


def is_0_1_0(node: Nine9sNode) -> None:
    """Check that everything an operator or a visitor can see is of the first version."""
    assert node.get("/") == HELLO
    assert node.get("/count")[0] == 404
    assert modules(node) == {"nine9s", "nine9s.app", "nine9s.default_handler", "nine9s.sup"}
    assert set(processes(node)) == {"nine9s_sup"}
    assert running_vsn(node) == "0.1.0"


def is_0_2_0(node: Nine9sNode) -> None:
    """Check that everything an operator or a visitor can see is of the second version."""
    assert node.get("/") == HELLO_2
    assert node.get("/count")[0] == 200
    added = {"nine9s.count_handler", "nine9s.state_handler"}
    assert modules(node) == {"nine9s", "nine9s.app", "nine9s.default_handler", "nine9s.sup", *added}
    known = processes(node)
    assert set(known) == {"nine9s_sup", "state_handler"}
    child, top = known["state_handler"], known["nine9s_sup"]
    assert child["parent"] == top["pid"]
    assert (child["kind"], child["module"]) == ("gen_server", "nine9s.state_handler")
    assert (top["strategy"], top["intensity"]) == ("one_for_all", "0 in 1 s")
    table = command("hotdash", "state", NAME, "nine9s_sup", env=node.environment).stdout
    assert f"<{child['pid']}>, transient, worker, shutdown 60 s, nine9s.state_handler:start_link" in table
    assert running_vsn(node) == "0.2.0"


def modules(node: Nine9sNode) -> set[str]:
    return {module["name"] for module in node.hotdash_json("modules") if module["application"].split()[0] == "nine9s"}


def processes(node: Nine9sNode) -> dict[str, Any]:
    """The application's named processes, without those of requests."""
    return {one["name"]: one for one in node.hotdash_json("ps") if one["application"] == "nine9s" and one["name"]}


def said(node: Nine9sNode) -> list[str]:
    """The application's messages in the node's log, without time, level and process."""
    lines = node.log.read_text().splitlines()
    return [line[at:] for line in lines for at in [max(line.find("nine9s says"), line.find("/count is"))] if at >= 0]


def running_vsn(node: Nine9sNode) -> str:
    return str(node.hotdash_json("status")["info"]["vsn"])


def answers(visitors: list[Visitor], wanted: tuple[int, str]) -> int:
    return sum(answer == wanted for visitor in visitors for answer in list(visitor.answers))


def status_of(answer: tuple[int, str]) -> int:
    return answer[0]


def some_more(visitors: list[Visitor]) -> None:
    """Wait until every visitor has had some more responses, or has given up."""
    enough = [(visitor, len(visitor.answers) + 20) for visitor in visitors]
    until(lambda: all(len(one.answers) >= many or one.trouble for one, many in enough), "some more answers")


# ------------------------------------------------------------------ the post's order, as an exhibit

WITNESS = '''"""Asks for /count from inside the script, and writes down what came."""

import asyncio
from pathlib import Path

from node_runtime import web


async def look(note: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("http"))
    writer.write(b"GET /count HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    try:
        async with asyncio.timeout(1.0):
            status = (await reader.readline()).split()[1].decode()
    except TimeoutError:
        status = "no answer"
    writer.close()
    Path(note).write_text(status)
'''

AS_IN_THE_POST = """
[[down]]
to = "0.1.0"
instructions = [
  { load_module = "nine9s.default_handler" },
  { apply = "node_runtime.supervisor:terminate_child", args = ["nine9s_sup", "state_handler"] },
  { apply = "node_runtime.supervisor:delete_child", args = ["nine9s_sup", "state_handler"] },
  { update = "nine9s.sup", type = "supervisor" },
  { delete_module = "nine9s.state_handler" },
  LOOK
  { apply = "nine9s.app:set_routes_old" },
  { delete_module = "nine9s.count_handler" },
  { load_module = "nine9s.app" },
]
"""


@pytest.mark.slow  # an exhibit; nothing depends on it
def test_in_the_blog_posts_order_the_counter_is_gone_while_its_route_exists(tmp_path: Path) -> None:
    note, tarballs = tmp_path / "note", {}
    for vsn in ("0.1.0", "0.2.0"):
        project = shutil.copytree(EXAMPLES / vsn, tmp_path / vsn)
        (project / "apps" / "nine9s" / "src" / "nine9s" / "witness.py").write_text(WITNESS)
        appup = project / "apps" / "nine9s" / "appup.toml"
        if appup.exists():
            look = f'{{ apply = "nine9s.witness:look", args = ["{note}"] }},'
            appup.write_text(appup.read_text().partition("[[down]]")[0] + AS_IN_THE_POST.replace("LOOK", look))
        tarballs[vsn] = build(project, tmp_path)
    with running(tarballs["0.1.0"], tmp_path) as node:
        node.bin("unpack", tarballs["0.2.0"])
        node.bin("upgrade", "--yes", "0.2.0")
        assert node.get("/count") == (200, "0")
        node.bin("downgrade", "--yes", "0.1.0")
        assert note.read_text() in ("500", "no answer")
        assert node.get("/") == HELLO
        assert node.get("/count")[0] == 404
