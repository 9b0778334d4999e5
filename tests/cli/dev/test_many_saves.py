"""Many saves in a row leave nothing behind. `make soak` runs this with SAVES=200 and prints the figures."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import psutil
import pytest

from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate, read_record
from tests.support.nodes.developed_node import NODE, Developer

SAVES = int(os.environ.get("SAVES", "16"))
WARM_UP = max(12, SAVES // 4)
"""After these saves, the node has as many files of removed releases as it keeps."""
MAX_FILES = 400
"""Ten files a release, of at most the last 8 releases and those whose dropped code waits for a garbage collection."""
LIMIT = 4 << 20
"""Bytes by which the memory of each OS process may grow from the end of the warm-up to the last save."""


async def held(developer: Developer) -> dict[str, object]:
    """What the node and the OS process of `dev` hold, apart from memory."""
    record = read_record(NODE)
    assert record is not None
    node, dev = psutil.Process(record.os_pid), psutil.Process()
    async with Client.connect(locate(NODE), user="ann", client_name="test") as client:
        modules = (await client.request(methods.SUMMARY)).modules
    return {
        "descriptors": (node.num_fds(), dev.num_fds()),
        "child processes": (len(node.children(recursive=True)), len(dev.children())),
        "old versions": [module.name for module in modules if module.old_vsn],
        "releases": len(await developer.releases()),
    }


def files() -> int:
    """The number of files in the node's directory, without its logs and its history, which have limits of their own."""
    record = read_record(NODE)
    assert record is not None
    directory = Path(record.directory)
    return sum(path.relative_to(directory).parts[0] != "var" for path in directory.rglob("*"))


def memory() -> tuple[int, int]:
    """The bytes of the node and of the OS process of `dev`."""
    record = read_record(NODE)
    assert record is not None
    return psutil.Process(record.os_pid).memory_info().rss, psutil.Process().memory_info().rss


def threads() -> int:
    """The threads of the node, without those that wait for work for a pool of limited size."""
    record = read_record(NODE)
    assert record is not None
    return psutil.Process(record.os_pid).num_threads()


@pytest.mark.slow
async def test_many_saves_leave_memory_descriptors_threads_files_and_versions_as_they_were(
    developer: Developer,
) -> None:
    before, first, started, seconds = await held(developer), memory(), threads(), []
    texts = "count += 1\n", "count += 1 + 0\n"
    for number in range(SAVES):
        if number == WARM_UP:
            before, first, started = await held(developer), memory(), threads()
        began = time.monotonic()
        said = await developer.save(texts if number % 2 == 0 else texts[::-1])
        seconds.append(time.monotonic() - began)
        assert "1 process keeps its state" in said
    assert await held(developer) == before
    assert files() <= MAX_FILES
    grown = tuple(now - then for now, then in zip(memory(), first, strict=True))
    print(
        f"\n{SAVES} saves, {statistics.median(seconds):.3f} s each: the node has grown by {grown[0] / 1e6:.2f} MB, "
        f"dev by {grown[1] / 1e6:.2f} MB (limit {LIMIT / 1e6:.2f} MB), from {started} to {threads()} threads"
    )
    assert SAVES < 100 or (max(grown) <= LIMIT and threads() <= started)
