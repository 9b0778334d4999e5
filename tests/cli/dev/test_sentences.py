"""The sentences of `node-runtime dev`: what became of each save."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from node_runtime.cli import main
from node_runtime.cli.dev.development import Development
from node_runtime.protocol.run_directory import read_record
from tests.support.nodes.developed_node import NODE, SERVER, WITHIN, Developer
from tests.support.waiting import eventually

NAME = 'NAME = "ice_cream_server"\n'


async def test_a_failing_body_is_named_by_the_file_that_was_saved_and_so_is_its_correction(
    developer: Developer,
) -> None:
    said = await developer.save((NAME, f"{NAME}1 / 0\n"))
    assert f"{developer.folder / SERVER}" in said
    assert str(developer.development.node.directory) not in said
    assert "correct the module and save it" in said
    corrected = await developer.save(("1 / 0\n", ""))
    assert corrected == "The mistake is corrected: the node runs the saved code."


async def test_the_end_of_the_node_is_said_at_once_and_the_next_save_starts_it(developer: Developer) -> None:
    record = read_record(NODE)
    assert record is not None
    os.kill(record.os_pid, signal.SIGKILL)
    await eventually(lambda: len(developer.lines) > 1, within=WITHIN, what="a line about the end")
    assert developer.lines[1].startswith("The node has ended, and all states are lost; ")
    assert (await developer.save(("count += 1\n", "count += 2\n"))).startswith(f"{NODE} runs ice_cream 0.1.0; ")
    assert await developer.count() % 2 == 0


async def test_a_changed_parameter_is_named(developer: Developer) -> None:
    (developer.folder / "config/sys.toml").write_text("[ice_cream]\nperiod = 0.01\n")
    developer.saves.put_nowait(None)
    await eventually(lambda: len(developer.lines) > 2, within=WITHIN, what="two lines of dev")
    assert "The parameter ice_cream.period is now 0.01. A process that has read 0.02 keeps it" in developer.lines[2]


async def test_a_mistake_in_an_appup_that_development_does_not_use_changes_nothing(developer: Developer) -> None:
    (developer.folder / "apps/ice_cream/appup.toml").write_text(
        'vsn = "0.1.0"\n[[up]]\nfrom = "0.0.9"\ninstructions = [{ load_module = "ice_cream.gone" }]\n'
    )
    assert (await developer.save(("count += 1\n", "count += 2\n"))).startswith("0.1.0+dev.1 after ")


async def test_parameters_of_development_have_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(run_directory))
    main(["new", str(tmp_path / "ice_cream")])
    (tmp_path / "ice_cream/config/sys.toml").write_text("[ice_cream]\nperiod = 3600.0\n")
    made = Developer(tmp_path / "ice_cream")
    made.development = Development(made.folder, made.lines.append, parameters="[ice_cream]\nperiod = 0.02\n")
    task = asyncio.create_task(made.development.run(made.changes()))
    await eventually(lambda: made.lines or task.done(), within=WITHIN, what="the start")
    await made.counted(2)
    task.cancel()
    await asyncio.wait([task])
