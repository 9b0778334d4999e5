"""The code server's cost: `python -m benchmarks.code_server [ROUNDS]`, run by each interpreter to be measured.

Each round measures every figure in a fresh OS process, and the output shows the medians of the
rounds. A stop is a time in which the event loop does not run; the figure of a round is its longest
stop. Times are processor time of the OS process. A thread can only wait for the interpreter's lock,
and the processor time of the thread that holds the lock counts. So other load on the machine adds
no stops. The garbage collector is configured as in a node.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from platform import python_version
from statistics import median
from time import process_time
from types import ModuleType
from typing import Any, Final

from node_runtime.cli.node import GC_YOUNG_THRESHOLD
from node_runtime.code import CodeServer, Source

HERE: Final = Path(__file__).parent
SECONDS: Final = 300
MODULES: Final = 1000
OBJECTS: Final = 1_000_000
CALLS: Final = 100_000
"""Turns of a loop. Each turn makes ten calls, written out, so that the loop costs little."""
QUESTIONS: Final = 100

Figures = dict[str, float]

CALLEE = "def f(x):\n    return x\n"
PLAIN = """
{imports}
N = {n}
def price():
    return N
def total(count):
    return count * price()
class Till:
    def open(self):
        return N
"""
CARRYING = PLAIN + """
from dataclasses import dataclass
from enum import Enum
@dataclass
class Item:
    name: str = ""
    price: int = 0
class Colour(Enum):
    RED = 1
class Broken(Exception):
    pass
"""  # fmt: skip
LARGE = (
    "".join(f"def f{i}(x):\n    return f{max(i - 1, 0)}(x) if x else N\n" for i in range(100))
    + "".join(
        # Without the version, the classes would be unchanged, and so stay the same classes.
        f"class C{i}:\n    version = {{n}}\n    def a(self): ...\n    def b(self): ...\n    c = property(a)\n"
        for i in range(20)
    )
    + "N = {n}\n"
)


class App:
    """An application on disk, in a directory for each version, and a code server that manages it."""

    def __init__(self, root: Path, text: str, count: int = 1) -> None:
        self.server = CodeServer()
        self.server.install()
        self._root = root
        self._text = text
        self._count = count
        self._sources: list[Source] = []
        first = self.write(0)
        self.server.add_application("app", "0", {source.module: source.path for source in first})
        for source in first:
            importlib.import_module(source.module)

    def write(self, vsn: int) -> list[Source]:
        directory = self._root / str(vsn)
        directory.mkdir()
        sources = []
        for number in range(self._count):
            file = directory / f"m{number}.py"
            before = f"from m{number - 1} import price as before\nimport m{number - 1}" if number else ""
            file.write_text(self._text.format(n=vsn, imports=before))
            sources.append(Source(f"m{number}", str(file), "app", str(vsn)))
        return sources


def milliseconds(act: Callable[[], object]) -> float:
    began = process_time()
    act()
    return (process_time() - began) * 1000


# ------------------------------------------------------------------ figures


def call(root: Path) -> Figures:
    """Nanoseconds of the call `m.f(1)`, measured in turn for a plain and for a managed module."""
    App(root, CALLEE)
    plain = ModuleType("plain")
    exec(CALLEE, plain.__dict__)
    loop = "def run(times):\n    for _ in range(times):\n" + "        m.f(1)\n" * 10
    names: dict[str, dict[str, Any]] = {"plain": {"m": plain}, "hot": {"m": sys.modules["m0"]}}
    for namespace in names.values():
        exec(loop, namespace)
        namespace["run"](CALLS // 10)
    best = dict.fromkeys(names, float("inf"))
    for _ in range(7):
        for kind, namespace in names.items():
            took = milliseconds(lambda run=namespace["run"]: run(CALLS))  # type: ignore[misc]
            best[kind] = min(best[kind], took * 1e6 / (CALLS * 10))
    return {**best, "ratio": best["hot"] / best["plain"]}


def loads(root: Path, text: str) -> Figures:
    """Milliseconds of a commit and of its revert, for all modules at once."""
    app = App(root, text, MODULES)
    commits, reverts = [], []
    for vsn in range(1, 6):
        batch = app.server.prepare(app.write(vsn))
        commits.append(milliseconds(batch.commit))
        reverts.append(milliseconds(batch.revert))
    assert importlib.import_module("m1").before() == 0
    return {"commit": median(commits), "revert": median(reverts)}


def commit(root: Path) -> Figures:
    return loads(root, PLAIN)


def commit_carrying(root: Path) -> Figures:
    return loads(root, CARRYING)


def held(root: Path) -> Figures:
    """The longest stop of the event loop during each kind of request, with a large heap."""
    heap = [{"number": number, "rest": [number]} for number in range(OBJECTS // 2)]
    gc.collect()
    app = App(root, LARGE)
    app.server.prepare(app.write(1)).commit()
    return asyncio.run(_stops(app, heap))


async def _stops(app: App, heap: list[Any]) -> Figures:
    server, module = app.server, sys.modules["m0"]

    async def free() -> None:
        assert not server.is_old_code_held("m0")

    free_stop = await _worst_stop(free for _ in range(QUESTIONS))
    server.soft_purge("m0")
    heap.append(module.C0())  # one object among a million
    server.prepare(app.write(2)).commit()

    async def kept() -> None:
        assert server.is_old_code_held("m0")

    async def who() -> None:
        assert server.holders("m0")

    async def sweep() -> None:
        assert await asyncio.to_thread(server.sweep) == ["m0"]

    return {
        "free": free_stop,
        "held": await _worst_stop(kept for _ in range(QUESTIONS)),
        "sweep": await _worst_stop(sweep for _ in range(QUESTIONS)),
        "holders": await _worst_stop(who for _ in range(3)),
    }


async def _worst_stop(questions: Iterable[Callable[[], Any]]) -> float:
    """The longest time, in milliseconds, between two turns of the loop during the requests."""
    worst, stop = 0.0, False

    async def tick() -> None:
        nonlocal worst
        before = process_time()
        while not stop:
            await asyncio.sleep(0)
            now = process_time()
            worst, before = max(worst, now - before), now

    ticking = asyncio.create_task(tick())
    for ask in questions:
        await asyncio.sleep(0)
        await ask()
    stop = True
    await ticking
    return worst * 1000


FIGURES: Final[dict[str, tuple[Callable[[Path], Figures], dict[str, str]]]] = {
    "call": (
        call,
        {
            "plain": "`m.f(1)`, a plain module, ns",
            "hot": "`m.f(1)`, a managed module, ns",
            "ratio": "time of the call to a managed module, divided by that to a plain module",
        },
    ),
    "commit": (
        commit,
        {"commit": "commit of 1,000 modules, ms", "revert": "revert of this commit, ms"},
    ),
    "commit_carrying": (
        commit_carrying,
        {
            "commit": "commit of 1,000 modules, each with a dataclass, an enumeration and an exception, ms",
            "revert": "revert of this commit, ms",
        },
    ),
    "held": (
        held,
        {
            "free": 'stop: "is the version held?", nothing holds it, ms',
            "held": 'stop: "is the version held?", one of the objects holds it, ms',
            "sweep": "stop: the same question, answered in a thread, ms",
            "holders": 'stop: "what holds the version?", answered by a forked child, ms',
        },
    ),
}

CALL_RATIO: Final = 1.6 if sys.version_info < (3, 12) else 1.1
GOALS: Final = {
    ("call", "ratio"): CALL_RATIO,
    ("commit", "commit"): 5.0,
    ("commit_carrying", "commit"): 5.0,
    ("held", "free"): 10.0,
    ("held", "held"): 10.0,
    ("held", "sweep"): 10.0,
    ("held", "holders"): 10.0,
}
"""Upper limits."""


# ------------------------------------------------------------------ measuring and showing


def measure(rounds: int) -> dict[tuple[str, str], float]:
    """The median of every figure."""
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for figure in FIGURES:
            print(f"\rround {number + 1} of {rounds}: {figure}".ljust(60), end="", file=sys.stderr, flush=True)
            words = [sys.executable, "-m", "benchmarks.code_server", "--figure", figure]
            done = subprocess.run(words, cwd=HERE.parent, capture_output=True, text=True, timeout=SECONDS, check=False)
            if done.returncode:
                sys.exit(f"\n{' '.join(words)} failed:\n{done.stderr}")
            for unit, value in json.loads(done.stdout).items():
                samples[figure, unit].append(value)
    print(file=sys.stderr)
    return {key: median(values) for key, values in samples.items()}


def table(medians: dict[tuple[str, str], float]) -> list[str]:
    """All figures with their goals, in Markdown."""
    lines = [f"| Python {python_version()} | | goal | |", "| --- | ---: | ---: | --- |"]
    for figure, (_, titles) in FIGURES.items():
        for unit, title in titles.items():
            value, goal = medians[figure, unit], GOALS.get((figure, unit))
            missed = "missed" if goal is not None and value > goal else ""
            lines.append(f"| {title} | {value:.3g} | {'' if goal is None else f'≤ {goal:g}'} | {missed} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.code_server", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--figure", choices=list(FIGURES), help="measure this one, in this process, and print JSON")
    options = parser.parse_args()
    if options.figure is None:
        print("\n".join(table(measure(options.rounds))))
        return
    gc.set_threshold(GC_YOUNG_THRESHOLD, *gc.get_threshold()[1:])  # as in a node
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(FIGURES[options.figure][0](Path(directory))))


if __name__ == "__main__":
    main()
