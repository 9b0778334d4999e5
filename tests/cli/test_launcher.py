"""bin/<name> against real nodes: each verb, its exit code, and the parent when the node misbehaves."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.support.matrix import slow
from tests.support.nodes.fil_node import command
from tests.support.nodes.tiny_node import (
    NAME,
    TinyNode,
    copy_of,
    install,
    is_gone,
    node,
    node_of_the_module,
    rewrite_manifest,
    running,
    shared,
    stopped_afterwards,
    tarball_of,
    tarballs,
)
from tests.support.projects.tiny_project import FILES
from tests.support.waiting import until

__all__ = ["node", "node_of_the_module", "running", "shared", "tarballs"]

BROKEN_APP = """
from node_runtime import Application
from node_runtime.protocol.exit_codes import Refused

class TinyApp(Application):
    async def start(self, start_type, args):
        raise Refused("port 80 is taken; free it.")
"""

CALLBACK_THAT_LEAVES = """
from pathlib import Path
from node_runtime import GenServer, gen_server, self_pid, send_after

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        send_after(0.01, self_pid(), "look")
        return 0

    def handle_info(self, message):
        send_after(0.01, self_pid(), "look")
        try:
            Path("leave").unlink()
        except FileNotFoundError:
            return
        raise SystemExit(3)
"""

TASK_THAT_LEAVES = """
import asyncio
from pathlib import Path
from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

async def leave():
    while not Path("leave").exists():
        await asyncio.sleep(0.01)
    Path("leave").unlink()
    raise SystemExit(0)

class TinyServer(GenServer):
    def init(self):
        return asyncio.create_task(leave())
"""

SPOILING: dict[str, str | None] = {
    "apps/tiny/appup.toml": """
vsn = "2.0"
[[up]]
from = "1.0"
instructions = [{ update = "tiny.server", change = "advanced" }]
[[down]]
to = "1.0"
instructions = [{ update = "tiny.server", change = "advanced" }]
""",
    "apps/tiny/src/tiny/server.py": """
import resource
from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return {"count": 0}

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0:
            return dict(state)  # only the copy of the node can't write files: a rehearsal finds nothing
        state["count"] = 1
        raise ValueError("that was all")
""",
}
COUNTING = {
    "apps/tiny/src/tiny/server.py": FILES["apps/tiny/src/tiny/server.py"].replace("return 0", "return {'count': 0}")
}


def test_a_tarball_that_was_unpacked_by_hand_starts_as_in_the_seed(tarballs: dict[str, Path], tmp_path: Path) -> None:
    with stopped_afterwards(TinyNode(tmp_path)) as unpacked:
        (tmp_path / "run").mkdir(mode=0o700)
        unpacked.directory.mkdir()
        subprocess.run(["tar", "-xzf", tarballs["1.0"], "-C", unpacked.directory], check=True)
        said = unpacked.tiny("start").stdout
        assert said.startswith(f"{NAME} runs 1.0 as process {unpacked.pid()}.\n")
        record = json.loads((unpacked.directory / "releases/record.json").read_text())
        assert record["permanent"] == "1.0"


def test_a_running_node_answers_every_verb_that_asks(shared: TinyNode) -> None:
    assert shared.tiny("ping").stdout == "pong\n"
    os.kill(int(shared.tiny("pid").stdout), 0)
    assert NAME in shared.tiny("status").stdout
    assert "1.0" in shared.tiny("versions").stdout
    assert [release["vsn"] for release in json.loads(shared.tiny("versions", "-o", "json").stdout)] == ["1.0"]


def test_a_node_that_is_down_is_reported_with_exit_code_3(node: TinyNode) -> None:
    for verb in ("ping", "pid", "status", "versions", "stop", "attach", "commit", "rollback"):
        assert f"{NAME} is down" in node.tiny(verb, code=3).stderr
    for verb in ("plan", "upgrade", "downgrade", "remove", "unpack"):
        assert f"{NAME} is down" in node.tiny(verb, "2.0", code=3).stderr
    assert node.tiny("versions", code=3).stdout.split() == ["1.0", "permanent"]
    assert json.loads(node.tiny("versions", "-o", "json", code=3).stdout) == [{"vsn": "1.0", "status": "permanent"}]
    assert "bin/tiny start` starts it" in node.tiny("ping", code=3).stderr


def test_stop_leaves_no_process_and_no_record_of_the_node(running: TinyNode) -> None:
    pid, parent = running.pid(), running.parent["pid"]
    assert running.tiny("stop").stdout == f"{NAME} is stopped.\n"
    for process in (pid, parent):
        assert isinstance(process, int)
        assert is_gone(process)
    assert not list(running.run_directory.glob("*.json"))


def test_a_second_start_is_refused_and_changes_nothing(shared: TinyNode) -> None:
    pid = shared.pid()
    for verb in ("start", "foreground"):
        assert f"{NAME} runs already, as process {pid}" in shared.tiny(verb, code=1).stderr
    assert shared.pid() == pid


def test_restart_boots_another_process_of_the_same_parent(shared: TinyNode) -> None:
    pid, parent = shared.pid(), shared.parent["pid"]
    said = shared.tiny("restart").stdout
    assert shared.pid() != pid
    assert shared.parent["pid"] == parent
    (address,) = [line for line in said.splitlines() if "control endpoint" in line]
    control = json.loads((shared.run_directory / f"{NAME}.json").read_text())
    assert said.splitlines() == [f"{NAME} runs 1.0 as process {shared.pid()}.", address]
    assert address == (
        f"Its control endpoint is 127.0.0.1:{control['port']}; `hotdash connect {NAME}` opens the dashboard."
    )


def test_restart_starts_a_node_that_is_down(node: TinyNode) -> None:
    node.tiny("restart")
    assert node.tiny("ping").stdout == "pong\n"


def test_a_node_that_is_killed_is_booted_again(running: TinyNode) -> None:
    pid = running.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")
    assert running.pid() != pid
    assert running.tiny("ping").stdout == "pong\n"
    assert "was ended by signal 9" in running.log


def test_a_node_without_heartbeat_is_killed_and_booted_again(node: TinyNode) -> None:
    node.set("node.toml", "heart = 1\n")
    node.tiny("start")
    pid = node.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: node.parent["boots"] == 2 and node.parent["phase"] == "running", "the second boot")
    assert "The node sent no heartbeat for 1 s" in node.log


def test_a_node_that_was_frozen_together_with_its_parent_continues(node: TinyNode) -> None:
    heart = 2.0
    node.set("node.toml", f"heart = {heart}\n")
    node.tiny("start")
    frozen = [psutil.Process(node.parent[name]) for name in ("node_pid", "pid")]
    for process in frozen:
        process.suspend()
    thaw_at = time.monotonic() + 1.2 * heart
    until(lambda: time.monotonic() > thaw_at, "the moment to thaw")
    for process in reversed(frozen):  # the parent runs first, and finds that no heartbeat came
        process.resume()
    assert node.tiny("ping").stdout == "pong\n"
    assert (node.parent["boots"], node.pid()) == (1, frozen[0].pid), node.log


def test_a_node_without_its_parent_stops_in_order(running: TinyNode) -> None:
    pid, parent = running.pid(), running.parent["pid"]
    assert isinstance(pid, int)
    assert isinstance(parent, int)
    os.kill(parent, signal.SIGKILL)
    until(lambda: is_gone(pid), "the node's end")
    assert "The parent process has ended" in running.log
    assert f"{NAME} is down" in running.tiny("status", code=3).stderr
    running.tiny("start")


def test_an_application_that_gives_up_takes_the_node_down_and_up_again(running: TinyNode) -> None:
    def processes() -> dict[str, int]:
        listed = json.loads(running.hotdash("ps", NAME, "-o", "json").stdout)
        return {process["name"]: process["pid"] for process in listed if process["name"]}

    server = processes()["tiny_server"]
    running.hotdash("kill", NAME, "tiny_server", "--yes")
    until(lambda: processes().get("tiny_server", server) != server, "the restart")
    running.hotdash("kill", NAME, "tiny_server", "--yes", code=None)  # the node may be gone before it answers
    until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")
    assert "The node halts" in running.log


@pytest.mark.slow  # test_loops.py has such tasks
def test_a_task_outside_of_processes_that_exits_does_not_end_the_node(tmp_path: Path) -> None:
    tarball = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": TASK_THAT_LEAVES})
    with stopped_afterwards(install(tarball, tmp_path / "tiny")) as node:
        node.tiny("start")
        (node.directory / "leave").touch()
        until(lambda: "outside of all processes" in node.log, "the log")
        assert node.tiny("ping").stdout == "pong\n"
        assert node.parent["boots"] == 1


@pytest.mark.slow  # tests/behaviours/test_exit_of_python.py has such callbacks
def test_a_callback_that_exits_is_restarted_by_its_supervisor(tmp_path: Path) -> None:
    tarball = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/server.py": CALLBACK_THAT_LEAVES})
    with stopped_afterwards(install(tarball, tmp_path / "tiny")) as node:
        node.tiny("start")
        (node.directory / "leave").touch()
        until(lambda: "crashed: SystemExit: 3" in node.log, "the crash report")
        assert node.tiny("ping").stdout == "pong\n"
        assert node.parent["boots"] == 1


def test_a_release_whose_upgrade_killed_the_node_is_not_reported_as_current(
    running: TinyNode, tarballs: dict[str, Path]
) -> None:
    running.hotdash("stage", NAME, tarballs["2.0"])
    running.hotdash("upgrade", NAME, "2.0", "--yes")
    assert "2.0 running, on probation" in running.hotdash("results", NAME).stdout
    pid = running.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")
    told = json.loads(running.hotdash("results", NAME, "-o", "json").stdout)
    assert (told["outcome"], told.get("probation_until")) == ("restarted", None)
    shown = " ".join(running.hotdash("results", NAME).stdout.split())
    assert "The node was ended by signal 9 before 2.0 was committed. Its permanent release, 1.0, booted." in shown
    assert "on probation" not in shown


@pytest.mark.slow  # install/test_putting_back.py has such a code_change
def test_a_code_change_that_spoils_a_state_is_reported_and_restarts_the_node(tmp_path: Path) -> None:
    before, after = tarball_of(tmp_path, changes=COUNTING), tarball_of(tmp_path, "2.0", SPOILING)
    with stopped_afterwards(install(before, tmp_path / "tiny")) as node:
        node.tiny("start")
        node.hotdash("stage", NAME, after)
        done = node.hotdash("upgrade", NAME, "2.0", "--yes", code=6)
        assert "its code_change mutated the old state" in " ".join(done.stdout.split())
        until(lambda: node.parent["boots"] == 2 and node.parent["phase"] == "running", "the second boot")
        told = json.loads(node.hotdash("results", NAME, "-o", "json").stdout)
        assert told["outcome"] == "partly put back"
        assert node.tiny("ping").stdout == "pong\n"


def test_a_start_that_is_refused_ends_in_one_sentence_and_no_process(tmp_path: Path) -> None:
    tarball = tarball_of(tmp_path, changes={"apps/tiny/src/tiny/app.py": BROKEN_APP})
    with stopped_afterwards(install(tarball, tmp_path / "tiny")) as broken:
        done = broken.tiny("start", code=1)
        assert done.stderr == "Application tiny did not start: port 80 is taken; free it.\n"
        assert done.stdout == ""
        assert broken.parent["boots"] == 1
        broken.tiny("pid", code=3)
        foreground = broken.tiny("foreground", code=1)
        assert "Application tiny did not start: port 80 is taken; free it." in foreground.stderr


def test_a_configuration_that_does_not_parse_is_named(node: TinyNode) -> None:
    node.set("sys.toml", "[tiny\n")
    assert "etc/sys.toml, line 1: this is not valid TOML" in node.tiny("start", code=1).stderr


def test_a_node_that_dies_at_every_boot_is_given_up(tmp_path: Path) -> None:
    code = "import os\nos.kill(os.getpid(), 9)\n"
    with stopped_afterwards(
        install(tarball_of(tmp_path, changes={"apps/tiny/src/tiny/app.py": code}), tmp_path / "t")
    ) as it:
        assert "was ended by signal 9" in it.tiny("start", code=1).stderr
        assert it.parent["boots"] == 3
        assert "Giving up on" in it.log


def test_two_nodes_with_the_same_name_do_not_interfere(shared: TinyNode, tmp_path: Path) -> None:
    other = copy_of(shared, tmp_path / "other")
    assert f"A node named {NAME} runs already" in other.tiny("start", code=1).stderr
    # The verbs of one directory must not reach the node of the other.
    for words in (("status",), ("ping",), ("upgrade", "2.0")):
        other.tiny(*words, code=3)
    other.set("node.toml", 'name = "other@127.0.0.1"\n')
    with stopped_afterwards(other):
        assert other.tiny("start").stdout.startswith("other@127.0.0.1 runs 1.0")
        assert shared.tiny("ping").stdout == "pong\n"


def test_a_wrong_command_line_is_one_sentence(node: TinyNode, tmp_path: Path) -> None:
    spaced = TinyNode(tmp_path / "a b")
    shutil.copytree(node.folder, spaced.folder)
    for words, said in (
        (("strat",), "tiny has no verb strat; "),
        (("start", "now"), "tiny start takes no arguments, but got now."),
        (("upgrade",), "tiny upgrade needs a VSN; "),
        (("unpack",), "tiny unpack needs a TARBALL; "),
    ):
        stderr = spaced.tiny(*words, code=2).stderr
        assert stderr.startswith(said)
        assert len(stderr.splitlines()) == 1
    assert f"`'{spaced.script}' start` starts it" in spaced.tiny("ping", code=3).stderr
    assert spaced.tiny(code=2).stderr == spaced.tiny("help").stdout
    assert spaced.tiny("help").stdout.startswith("usage: tiny VERB")


def test_verbs_find_the_node_of_their_folder_with_any_run_directory_setting(shared: TinyNode, tmp_path: Path) -> None:
    """A node that was started elsewhere, for example by a service, has its record elsewhere."""
    other = copy_of(shared, tmp_path / "other", run_directory="own")
    with stopped_afterwards(other):
        other.tiny("start")
        from_elsewhere = TinyNode(other.folder, neighbour=shared.folder)
        assert from_elsewhere.tiny("ping").stdout == "pong\n"
        told = json.loads(from_elsewhere.tiny("status", "-o", "json").stdout)
        assert (told["info"]["os_pid"], told["info"]["directory"]) == (other.pid(), str(other.directory))


def test_a_node_whose_folder_was_moved_is_reported_and_can_be_stopped(running: TinyNode) -> None:
    moved = TinyNode(running.folder.with_name("moved"), neighbour=running.folder)
    moved.folder.mkdir()
    running.directory.rename(moved.directory)
    for verb in ("ping", "status"):
        assert (
            f"was started in {running.directory}, but is now in {moved.directory}; " in moved.tiny(verb, code=3).stderr
        )
    moved.tiny("stop")
    moved.directory.rename(running.directory)


def test_in_a_pipe_each_row_is_one_line_without_trailing_blanks(shared: TinyNode) -> None:
    for words in (("nodes",), ("status", NAME), ("plan", NAME, "1.0"), ("ps", NAME)):
        lines = shared.hotdash(*words).stdout.splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
    assert shared.hotdash("nodes").stdout.endswith(f"{shared.directory}\n")
    narrow = command("hotdash", "nodes", env=shared.environment | {"COLUMNS": "60"}).stdout.splitlines()
    assert max(map(len, narrow)) <= 60


def test_in_the_foreground_a_signal_stops_it_in_order(node: TinyNode) -> None:
    with subprocess.Popen((node.script, "foreground"), env=node.environment, stderr=subprocess.PIPE) as parent:
        until(lambda: node.pid() is not None and node.parent["phase"] == "running", "the node")
        parent.send_signal(signal.SIGTERM)
        parent.communicate(timeout=60)
    assert parent.returncode == 0
    node.tiny("ping", code=3)


def test_in_the_foreground_stop_from_elsewhere_ends_it(node: TinyNode) -> None:
    with subprocess.Popen((node.script, "foreground"), env=node.environment, stderr=subprocess.PIPE) as parent:
        until(lambda: node.pid() is not None and node.parent["phase"] == "running", "the node")
        node.tiny("stop")
        parent.communicate(timeout=60)
    assert parent.returncode == 0


@pytest.mark.slow  # the release whose upgrade killed the node isn't committed, either
def test_an_upgrade_that_is_not_committed_dies_with_the_node(running: TinyNode, tarballs: dict[str, Path]) -> None:
    running.tiny("unpack", tarballs["2.0"])
    assert "2.0" in running.tiny("plan", "2.0").stdout
    running.tiny("upgrade", "--yes", "2.0")
    statuses = {one["vsn"]: one["status"] for one in json.loads(running.tiny("versions", "-o", "json").stdout)}
    assert statuses == {"1.0": "permanent", "2.0": "current"}
    os.kill(running.pid() or 0, signal.SIGKILL)
    until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")
    assert running.parent["vsn"] == "1.0"
    running.tiny("upgrade", "--yes", "2.0")
    running.tiny("commit")
    running.tiny("restart")
    assert running.parent["vsn"] == "2.0"
    running.tiny("downgrade", "--yes", "1.0")
    running.tiny("rollback", "--yes")
    running.tiny("remove", "1.0")
    assert [one["vsn"] for one in json.loads(running.tiny("versions", "-o", "json").stdout)] == ["2.0"]


def test_a_cookie_is_printed_for_each_role_also_while_the_node_is_down(node: TinyNode) -> None:
    operator, viewer = node.tiny("cookie").stdout, node.tiny("cookie", "--role", "viewer").stdout
    assert operator.startswith("hotdash1:operator:")
    assert viewer.startswith("hotdash1:viewer:")
    assert node.tiny("cookie").stdout == operator
    node.tiny("cookie", "--role", "king", code=2)
    assert (node.directory / "etc/cookies/operator").stat().st_mode & 0o777 == 0o600


def test_a_release_for_another_python_names_that_python(node: TinyNode) -> None:
    path = node.directory / "releases/1.0/manifest.json"
    manifest = json.loads(path.read_text())
    rewrite_manifest(node, {**manifest, "python": "3.99"})
    assert "needs Python 3.99" in node.tiny("start", code=1).stderr


def test_a_damaged_record_is_reported_in_one_sentence(node: TinyNode) -> None:
    deep = "[" * 100_000
    entries = ("{}", "7", '{"status": "old", "committed": "x"}', '{"status": "permanent", "origin": 7}', deep)
    records = [f'{{"permanent": "1.0", "releases": {{"1.0": {entry}}}}}' for entry in entries]
    for damaged in ("{", "[]", "{}", '{"permanent": 7}', *records):
        (node.directory / "releases/record.json").write_text(damaged)
        said = node.tiny("start", code=1).stderr
        assert "record.json is damaged" in said
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("text", ["x = " + "[" * 3000, "[", *slow("x = " + "9" * 5000, "x = '\udcff'")])
def test_settings_that_can_not_be_read_are_one_sentence_of_each_verb(node: TinyNode, text: str) -> None:
    (node.directory / "etc").mkdir(exist_ok=True)
    (node.directory / "etc/node.toml").write_bytes(text.encode(errors="surrogateescape"))
    for verb in ("status", "cookie"):
        said = node.tiny(verb, code=1).stderr
        assert "etc/node.toml is not valid TOML" in said
        assert len(said.splitlines()) == 1


def test_a_manifest_without_a_runtime_is_reported_in_one_sentence(node: TinyNode) -> None:
    path = node.directory / "releases/1.0/manifest.json"
    manifest = json.loads(path.read_text())
    for path_entries in (["../../../tmp"], [], "lib"):
        rewrite_manifest(node, {**manifest, "path": path_entries})
        said = node.tiny("cookie", code=1).stderr
        assert len(said.splitlines()) == 1
        assert "restore it from a backup" in said


def test_a_node_that_is_being_booted_again_is_reported_as_such(running: TinyNode) -> None:
    parent, pid = running.parent["pid"], running.pid()
    assert isinstance(parent, int)
    assert isinstance(pid, int)
    os.kill(parent, signal.SIGSTOP)  # as in a slow boot
    try:
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_gone(pid), "the node's end")
        for done in (running.tiny("status", code=3), running.hotdash("status", NAME, code=3)):
            assert "is restarting: its process" in done.stderr
    finally:
        os.kill(parent, signal.SIGCONT)
    until(lambda: running.parent["boots"] == 2 and running.parent["phase"] == "running", "the second boot")


def test_of_two_concurrent_starts_the_second_reports_the_first(node: TinyNode) -> None:
    command = (node.script, "start")
    starts = [
        subprocess.Popen(command, env=node.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [start.communicate(timeout=60)[1] for start in starts]
    assert sorted(start.returncode for start in starts) == [0, 1]
    lost = said[0] or said[1]
    assert "is being started; " in lost or "runs already" in lost


def test_the_node_imports_only_its_own_libraries(shared: TinyNode) -> None:
    maps = Path(f"/proc/{shared.pid()}/maps").read_text()
    native = {line.split()[-1] for line in maps.splitlines() if ".so" in line and "site-packages" in line}
    assert native == set()


def test_a_node_that_crashes_on_a_full_disk_is_booted_again(running: TinyNode) -> None:
    parent = running.parent["pid"]
    assert isinstance(parent, int)
    pid = running.pid()
    assert pid is not None
    (running.run_directory / f"{NAME}.json").unlink()
    resource.prlimit(parent, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))  # its children inherit that
    os.kill(pid, signal.SIGKILL)

    def reborn() -> psutil.Process | None:
        children = psutil.Process(parent).children()
        return next((child for child in children if child.pid != pid and has_gateway(child)), None)

    def has_gateway(child: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(process.net_connections() for process in child.children())
        return False

    until(reborn, "the next boot")
    again = reborn()
    assert again is not None
    again.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until((running.run_directory / f"{NAME}.json").exists, "the record of where it is")
    resource.prlimit(parent, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert running.hotdash("status", NAME).returncode == 0
    os.kill(again.pid, signal.SIGKILL)
    until(lambda: running.parent["boots"] == 3 and running.parent["phase"] == "running", "the third boot")
