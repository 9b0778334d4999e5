"""Many upgrades and downgrades of two real nodes, then a search for leaks: `python -m benchmarks.upgrade_soak`.

`--only plain` or `--only crunch` takes one of the nodes, `--rounds` another number of rounds than 500.

In each of 500 rounds, a node goes up to release 2, down to 1, up to 3, which corrects 2, and down again. On the way up
a server is added; on the way down it is terminated and deleted, with its module. The second node also works in a
thread pool with numpy. Nothing may be refused, and the memory, the threads and the descriptors of a node must not have
grown from the second third of the rounds to the last. Otherwise the exit code is 1. The first third isn't judged: in
it, a node reaches its size. On a busy machine, the event loop's pool of threads grows in the first 150 rounds, because
it starts a thread whenever none is idle, up to the number of cores plus 4.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Install
from node_runtime.protocol.run_directory import locate

from .upgrade_soak_project import write_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WAYS: Final = (("2", "up"), ("1", "down"), ("3", "up"), ("1", "down"))
GROWTH: Final = {"KiB": 1.03, "threads": 1.0, "descriptors": 1.0}
"""The largest permitted ratio of the median in the last third of the rounds to that in the second third."""
LEAST_SAMPLES: Final = 30
"""With fewer rounds, growth isn't judged: a node first has to reach its size."""
NODES: Final = {"plain": False, "crunch": True}
"""The nodes by name, and whether they work in a thread pool with numpy."""
BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True)
class Sample:
    """The resources of a node's OS process: resident memory, threads, open descriptors."""

    kib: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> Sample:
        """Read them from /proc."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        return cls(int(lines["VmRSS"].split()[0]), int(lines["Threads"]), descriptors)


@contextmanager
def running_node(name: str, folder: Path, *, numpy: bool) -> Iterator[str]:
    """Build three releases, install the first one, start the node and stage the others."""
    tarballs = []
    for vsn in "123":
        write_project(folder / vsn, name, vsn, numpy=numpy)
        run(BIN / "node-runtime", "build", folder / vsn, "--output", folder / "out")
        tarballs.append(folder / "out" / f"{name}-{vsn}.tar.gz")
    run(BIN / "node-runtime", "install", tarballs[0], folder / "node")
    command = folder / "node" / "bin" / name
    run(command, "start")
    try:
        for tarball in tarballs[1:]:
            run(command, "unpack", tarball)
        yield f"{name}@127.0.0.1"
    finally:
        run(command, "stop")


def run(*words: object) -> None:
    """Run a command; if it fails, its output is the error."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")


async def soak(node: str, rounds: int) -> list[str]:
    """Run the rounds; return the problems."""
    samples: list[Sample] = []
    problems: list[str] = []
    pid = _os_pid(node)
    async with Client.connect(locate(node), user="soak", client_name="soak") as client:
        for number in range(rounds):
            for vsn, way in WAYS:
                if (error := await _install(client, vsn)) is not None:
                    problems.append(f"round {number}: {way} to {vsn}: {error}")
            samples.append(Sample.of(pid))
            if number % max(1, rounds // 20) == 0:
                print(f"{node} {number:>5}  {'  '.join(map(str, astuple(samples[-1])))}", flush=True)
            if len(problems) > 5:
                break
    return problems + _growth(node, samples)


def _os_pid(node: str) -> int:
    pid: int = json.loads(Path(os.environ["NODE_RUNTIME_RUN_DIR"], f"{node}.json").read_text())["os_pid"]
    return pid


async def _install(client: Client, vsn: str) -> str | None:
    """Install a release, and return the error, if there is one."""
    deadline = time.monotonic() + 30
    while True:
        try:
            begun = await client.request(methods.INSTALL, Install(vsn=vsn))
            break
        except Refused as refused:  # a client may spend only so many tokens a second
            if "budget" not in refused.sentence or time.monotonic() > deadline:
                return refused.sentence
            await asyncio.sleep(0.2)
    async for operation in client.follow(begun.operation):
        ended = operation
    return None if ended.outcome == "installed" else f"{ended.outcome}: {ended.error}"


def _growth(node: str, samples: list[Sample]) -> list[str]:
    """Print the growth of each resource, and return what has grown too much."""
    if len(samples) < LEAST_SAMPLES:
        print(f"{node}: growth isn't judged with fewer than {LEAST_SAMPLES} rounds")
        return []
    third, problems = len(samples) // 3, []
    for (name, limit), column in zip(GROWTH.items(), zip(*map(astuple, samples), strict=True), strict=True):
        middle, last = statistics.median(column[third:-third]), statistics.median(column[-third:])
        print(f"{node}: {middle:,.0f} {name} in the second third of the rounds, {last:,.0f} in the last")
        if last > middle * limit:
            problems.append(f"{node}: {middle:,.0f} {name} grew to {last:,.0f}")
    return problems


def main(rounds: int, names: Iterable[str]) -> int:
    """Soak the named nodes, one after the other; return the exit code."""
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        os.environ["NODE_RUNTIME_RUN_DIR"] = f"{made}/run"
        os.mkdir(f"{made}/run", mode=0o700)
        for name in names:
            with running_node(name, Path(made) / name, numpy=NODES[name]) as node:
                problems += asyncio.run(soak(node, rounds))
    for problem in problems:
        print(f"PROBLEM: {problem}")
    if not problems:
        print("Nothing was refused, and nothing grew.")
    return 1 if problems else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="upgrade_soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--only", choices=NODES)
    options = parser.parse_args()
    sys.exit(main(options.rounds, [options.only] if options.only else NODES))
