"""A shell completes nodes, versions, processes, modules and operations, and a failure completes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from hotdash.cli import hotdash, main
from node_runtime.protocol import messages as m
from tests.support.dashboard.fil_world import NODE
from tests.support.dashboard.scripted_peer import Peer


@pytest.fixture
def peer_node(peer: Peer) -> Peer:
    peer.world.operations = [
        m.Operation(id="op-7", kind="install", from_vsn="1986.a", to_vsn="1986.b", who="ann", started=1.0, phase="x")
    ]
    return peer


class Shell:
    """A shell that asks for completions. The command runs in a thread, because it has an event loop of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("_HOTDASH_COMPLETE", "fish_complete")
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    async def completed(self, *words: str) -> list[str]:
        """The values that the shell would offer for the last of these words."""
        self._monkeypatch.setenv("COMP_WORDS", " ".join(["hotdash", *words[:-1]]))
        self._monkeypatch.setenv("COMP_CWORD", words[-1])
        with pytest.raises(SystemExit):
            await asyncio.to_thread(main, ())
        out, errors = self._capfd.readouterr()
        assert errors == ""
        return [line.partition(",")[2].partition("\t")[0] for line in out.splitlines() if line.startswith("plain")]


@pytest.fixture
def fish(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capfd)


async def test_arguments_are_completed_with_what_the_node_has(peer_node: Peer, fish: Shell) -> None:
    peer_node.start()
    assert await fish.completed("status", "fil") == [NODE]
    assert await fish.completed("plan", NODE, "1986.") == ["1986.a", "1986.b", "1986.c"]
    assert await fish.completed("restart", NODE, "fil_c") == ["fil_color_fsm"]
    assert await fish.completed("results", NODE, "") == ["op-7"]
    assert await fish.completed("status", "nobody") == []


async def test_names_that_a_shell_would_interpret_are_not_offered(peer_node: Peer, fish: Shell) -> None:
    peer_node.start()
    for process, name in zip(peer_node.world.processes, ["$(reboot)", "a b", "a\nplain,b", "good"], strict=False):
        peer_node.world.change(process.pid, name=name)
    offered = await fish.completed("kill", NODE, "")
    assert "good" in offered
    assert not [name for name in offered if set(name) & set("$; \n")]


@pytest.mark.parametrize(
    "words", [("plan", "nobody@127.0.0.1", ""), ("plan", "fil@127.0.0.1:1", ""), ("plan", "x", "")]
)
async def test_a_node_that_is_not_there_completes_nothing(
    run_directory: Path, fish: Shell, words: tuple[str, ...]
) -> None:
    assert await fish.completed(*words) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str) -> None:
    done = CliRunner().invoke(hotdash, ["completion", shell])
    assert done.exit_code == 0
    assert "_HOTDASH_COMPLETE" in done.output
