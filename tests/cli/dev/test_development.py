"""`node-runtime dev`: each save is new code in the running node, and a mistake leaves the old code running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node_runtime.cli import main
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate
from tests.support.nodes.developed_node import NODE, SERVER, WITHIN, Developer
from tests.support.nodes.fil_node import environment
from tests.support.waiting import eventually


async def test_a_save_is_new_code_with_the_old_state_and_a_mistake_leaves_the_old_code_running(
    developer: Developer,
) -> None:
    await developer.counted(1)
    done = await developer.save(("count += 1\n", "count += 1_000_000\n"))
    assert done.startswith("0.1.0+dev.1 after ")
    assert "ice_cream.server; 1 process keeps its state" in done
    await developer.counted(1_000_001)
    assert await developer.count() % 1_000_000 > 0  # the count of the old code is a part of it
    assert await developer.releases() == ["0.1.0+dev.1"]
    async with Client.connect(locate(NODE), user="ann", client_name="test") as client:
        assert client.info.development

    said = await developer.save(("def get_count(self)", "def get_count(self"))
    assert said.startswith("The old code continues to run: ")
    assert "server.py, line " in said
    await developer.counted(await developer.count() + 1_000_000)


async def test_a_file_of_which_a_part_is_saved_is_not_installed(developer: Developer) -> None:
    """An editor saves the rest of the file while the node makes the plan for the part."""
    file = developer.folder / SERVER
    whole = file.read_text().replace("count += 1\n", "count += 1_000_000\n")
    file.write_text(whole[: whole.index("    def handle_info")])  # valid code, but the ticks would be lost
    developer.saves.put_nowait(None)
    await eventually(developer.saves.empty, within=WITHIN, what="the first look at the files")
    file.write_text(whole)
    developer.saves.put_nowait(None)
    await eventually(lambda: len(developer.lines) > 1, within=WITHIN, what="a line of dev")
    assert developer.lines[1].startswith("0.1.0+dev.2 after ")
    await developer.counted(1_000_001)
    assert await developer.releases() == ["0.1.0+dev.2"]


MISTAKES = {
    "division by zero": ('NAME = "ice_cream_server"\n', 'NAME = "ice_cream_server"\n1 / 0\n'),
    "no scoops": (
        "    def get_count",
        "    @classmethod\n    def code_change(cls, old_vsn: object, state: State, extra: object) -> State:\n"
        "        raise ValueError('no scoops')\n\n    def get_count",
    ),
    "nowhere": ("from node_runtime import", "from nowhere import x\nfrom node_runtime import"),
    "was never closed": ("return await call(NAME,", "return await call((NAME,"),
    "unterminated": ('NAME = "ice_cream_server"\n', 'NAME = "ice_cre'),  # saved in the middle of a word
}


@pytest.mark.slow  # many upgrades; the test above fails, too, if saves have no effect
async def test_no_kind_of_mistake_stops_the_old_code(developer: Developer) -> None:
    for number, (reason, (right, wrong)) in enumerate(MISTAKES.items()):
        said = await developer.save((right, wrong))
        assert said.startswith("The old code continues to run: "), said
        assert reason in "".join(developer.lines)
        await developer.counted(await developer.count() + 1)
        good = await developer.save((wrong, right), ("count += ", f"count += {number} * 1_000_000 + "))
        assert "1 process keeps its state" in good
    assert len(await developer.releases()) == 1


THREAD = """
import os, threading
def idle() -> None:
    while not os.path.exists("{end}"):
        threading.Event().wait(0.05)
threading.Thread(target=idle, name="idler", daemon=True).start()
"""


@pytest.mark.slow  # three upgrades
async def test_code_that_an_old_thread_blocks_is_installed_when_the_thread_ends(
    developer: Developer, tmp_path: Path
) -> None:
    thread = THREAD.format(end=tmp_path / "end")
    await developer.save(('NAME = "ice_cream_server"\n', f'{thread}NAME = "ice_cream_server"\n'))
    assert "keeps its state" in await developer.save(("count += 1\n", "count += 2\n"))
    assert "The thread idler runs ice_cream.server" in "".join(developer.lines)
    refused = await developer.save(("count += 2\n", "count += 3\n"))
    assert refused.startswith(
        "The old code continues to run: ice_cream.server still has an old version (0.1.0+dev.1): thread "
    )
    assert "--wait" not in developer.lines[-1]
    assert "is installed as soon as this is gone.\nOr end `node-runtime dev` and start it again" in developer.lines[-1]
    said = len(developer.lines)
    (tmp_path / "end").touch()
    await eventually(lambda: len(developer.lines) > said, within=WITHIN, what="a line of dev")
    assert "keeps its state" in developer.lines[said]


@pytest.mark.slow  # an OS process of its own, which the tests above don't have
def test_the_command_watches_the_files_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder, run_directory = tmp_path / "ice_cream", tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    main(["new", str(folder)])
    before = sorted(map(str, folder.rglob("*")))
    line = [
        sys.executable,
        "-c",
        "import sys; from node_runtime.cli import main; main(sys.argv[1:])",
        "dev",
        str(folder),
    ]
    env = environment(tmp_path) | {"NODE_RUNTIME_RUN_DIR": str(run_directory), "TMPDIR": str(run_directory)}
    with subprocess.Popen(line, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert f"dev: {NODE} runs ice_cream 0.1.0; " in process.stdout.readline()
        server = folder / SERVER
        server.write_text(server.read_text().replace("count += 1", "count += 2"))
        assert process.stdout.readline().startswith("dev: 0.1.0+dev.1 after ")
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "dev: The node is stopped.\n"
        assert process.wait(WITHIN) == 0
    assert sorted(map(str, folder.rglob("*"))) == before
    assert [path for path in run_directory.iterdir() if path.is_dir()] == []
