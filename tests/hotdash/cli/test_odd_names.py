"""Names, versions and pids that nobody has: each verb answers with one sentence and a documented exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from _pytest.mark.structures import ParameterSet

from hotdash.cli import main
from hotdash.cli.verb_group import VERBS as ALL_VERBS
from node_runtime.protocol.exit_codes import ExitCode

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

NODE = "shop@127.0.0.1"
ODD = {
    "empty": "",
    "control characters": "a\x1b[31m\n\x07b",
    "surrogates": "a\udcffb",
    "very long": "x" * 10_000,
    "an option": "--x",
    "right to left": "\u202eabc",
    "very many digits": "9" * 10_000,
    "a superscript digit": "²",
    "digits of another script": "٩٩٩",
    "a negative number": "-1",
    "a pid above 64 bits": "<99999999999999999999>",
    "a path": "../../etc/passwd",
}
VERBS = sorted(verb for verb in ALL_VERBS if verb not in ("nodes", "demo"))
TAKE_A_NAME = ("state", "approve", "restart", "kill", "plan", "upgrade", "downgrade", "remove", "results", "stage")
TAKE_A_REASON = ("approve", "restart", "kill", "upgrade", "downgrade", "commit", "rollback")
ASK = ("restart", "kill", "upgrade", "downgrade", "rollback")


def every_third_of_odd(first: int) -> list[ParameterSet]:
    """All odd texts; those that are slow here are not so in one of the two other tests."""
    return [
        pytest.param(odd, id=name, marks=() if number % 3 == first else pytest.mark.slow)
        for number, (name, odd) in enumerate(ODD.items())
    ]


async def run(*words: str) -> int:
    """Run the command in a thread, because it has an event loop of its own; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def assert_one_sentence(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    written = capsys.readouterr()
    lines = written.err.strip().splitlines()
    assert ExitCode(code) != ExitCode.OK
    assert written.out == ""
    if lines[0].startswith("Usage: "):
        assert code == ExitCode.USAGE
    else:
        assert len(lines) == 1
    assert lines[-1].isprintable()
    assert len(lines[-1]) < 600
    assert "Traceback" not in written.err


@pytest.mark.parametrize("odd", every_third_of_odd(0))
async def test_an_odd_name_of_a_node_is_one_sentence(
    odd: str, own_run_directory: object, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in VERBS:
        names = {"state": ("1",), "results": ()}.get(verb, ("1",) if verb in TAKE_A_NAME else ())
        for node in (odd, f"{odd}@127.0.0.1", f"fil@127.0.0.1:{odd}"):
            code = await run(verb, node, *names)
            assert_one_sentence(code, capsys)
            assert code in (ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.NOT_ALLOWED, ExitCode.REFUSED)


@pytest.mark.parametrize("odd", every_third_of_odd(1))
async def test_an_odd_name_of_a_process_a_release_or_a_file_is_one_sentence(
    shop: Node, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in TAKE_A_NAME:
        code = await run(verb, NODE, odd, *(["--yes"] if verb in ASK else []))
        assert_one_sentence(code, capsys)
        assert code in (ExitCode.REFUSED, ExitCode.USAGE)


@pytest.mark.parametrize("odd", every_third_of_odd(2))
async def test_an_odd_reason_is_one_sentence(shop: Node, odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in TAKE_A_REASON:
        names = ["9.9"] if verb in TAKE_A_NAME else []
        code = await run(verb, NODE, *names, "--reason", odd, *(["--yes"] if verb in ASK else []))
        assert_one_sentence(code, capsys)
        assert code in (ExitCode.REFUSED, ExitCode.USAGE)
