"""The command that stops a benchmark's node runs however the benchmark ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from benchmarks.load.final_command import final_command
from tests.support.waiting import eventually

BENCHMARK = """
import asyncio, sys
from benchmarks.load.final_command import final_command

async def main():
    async with final_command("touch", sys.argv[1]):
        print("running", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_command_runs_when_the_benchmark_has_been_killed(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    command = [sys.executable, "-c", BENCHMARK, str(ended)]
    benchmark = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert benchmark.stdout is not None
    await benchmark.stdout.readline()
    assert not ended.exists()
    benchmark.kill()
    await benchmark.wait()
    await eventually(ended.exists, what="the command")


async def test_the_command_runs_after_the_block_and_a_failure_of_it_is_an_error(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    async with final_command("touch", ended):
        assert not ended.exists()
    assert ended.exists()
    with pytest.raises(RuntimeError, match="false ended with 1"):
        async with final_command("false"):
            pass
