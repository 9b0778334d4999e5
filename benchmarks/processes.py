"""Processes beside their peers: `python -m benchmarks.processes [ROUNDS] [--only FIGURE…]`.

Every figure of every candidate is measured in a fresh OS process. The candidates take turns in each round, so that
changing load on the machine affects all of them. The output shows medians; goals are ratios of medians of the same
run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from itertools import product
from pathlib import Path
from platform import python_version
from shutil import which
from statistics import median
from typing import Final

HERE: Final = Path(__file__).parent
SECONDS: Final = 300
"""Time limit of one measurement."""

Medians = dict[tuple[str, str], float]

CANDIDATES: Final = {
    "hotdash": ("ours", ""),
    "hotdash, uvloop": ("ours", "uvloop"),
    "asyncio actor": ("asyncio_actor", ""),
    "asyncio actor, uvloop": ("asyncio_actor", "uvloop"),
    "xoscar": ("xoscar_actor", ""),
    "xoscar, uvloop": ("xoscar_actor", "uvloop"),
    "pykka": ("pykka_actor", ""),
    "OTP, 1 scheduler": ("otp", "1:1"),
    "OTP": ("otp", ""),
}

FIGURES: Final = {
    "call": {"rate": "call, idle server, calls/s"},
    "call_queued": {"rate": "call that has to queue, calls/s"},
    "call_async": {"rate": "call, async callback, calls/s"},
    "call_clients": {"rate": "call, 100 clients at once, calls/s"},
    "cast": {"rate": "cast, handled, casts/s"},
    "cast_awaited": {"rate": "the same, its sender awaits Queue.put, casts/s"},
    "message": {"rate": "message between two servers, messages/s"},
    "receive": {"rate": "message between two plain processes, messages/s"},
    "spawn": {"rate": "spawn of a plain process that ends at once, spawns/s"},
    "start": {"rate": "start of a server, starts/s"},
    "children": {
        "bytes": "idle, registered, supervised, each by a specification of its own, bytes",
        "start": "start of 100,000 children, s",
        "stop": "stop of 100,000 children, s",
    },
    "alike": {"bytes": "idle, registered, supervised, all by one specification, bytes"},
    "fairness": {"milliseconds": "quiet process beside 1,000,000 queued messages, worst answer, ms"},
    "watched": {"rate": "call, server with 100 links and 100 monitors, calls/s"},
    "statistics": {"rate": "call, server with sys.statistics on, calls/s"},
    "log": {"rate": "call, server with sys.log on, calls/s"},
    "monitor": {"rate": "monitor and demonitor, pairs/s"},
}

OURS: Final = ("watched", "statistics", "log", "monitor")
"""The cost of links, monitors and recording, compared with the same calls without them."""

MEASURED_BY: Final[dict[str, tuple[str, ...]]] = {
    "xoscar_actor": ("call", "call_async", "call_clients", "cast", "message", "start", "children", "fairness"),
    "pykka_actor": ("call", "call_clients", "cast", "message", "start", "children", "fairness"),
    "otp": ("call", "call_clients", "cast", "message", "receive", "spawn", "start", "children", "alike", "fairness"),
    "asyncio_actor": tuple(figure for figure in FIGURES if figure not in ("alike", *OURS)),
    "ours": tuple(figure for figure in FIGURES if figure != "cast_awaited"),
}
"""The figures of candidates that do not have all."""

GOALS: Final = (
    ("call", "rate", "asyncio actor", 10.0),
    ("call", "rate", "pykka", 50.0),
    ("call", "rate", "OTP", 1.0),
    ("call_queued", "rate", "asyncio actor", 1.1),
    ("call_async", "rate", "asyncio actor", 1.1),
    ("cast", "rate", "asyncio actor", 2.0),
    ("cast", "rate", "OTP", 0.3),
    ("message", "rate", "asyncio actor", 2.0),
    ("message", "rate", "OTP", 0.3),
    ("children", "start", "OTP", 1.0),
)
"""The least ratio of our rate to the peer's, or the greatest ratio of our seconds to the peer's."""

LIMITS: Final = (("alike", "bytes", 700.0), ("children", "bytes", 700.0), ("fairness", "milliseconds", 20.0))


# ------------------------------------------------------------------ measuring


def command(candidate: str, figure: str, beams: Path | None) -> list[str] | None:
    """The command that measures a figure; None if the candidate cannot run."""
    script, way = CANDIDATES[candidate]
    if figure not in MEASURED_BY.get(script, FIGURES):
        return None
    if script != "otp":
        return [sys.executable, "-m", f"benchmarks.{script}", figure, *way.split()]
    if beams is None:
        return None
    scheduling = ["+S", way] if way else []
    return ["erl", *scheduling, "+P", "1000000", "-noshell", "-pa", str(beams), "-run", "otp", "main", figure]


def measure(wanted: list[str], rounds: int, beams: Path | None) -> Medians:
    """The median of every figure of every candidate."""
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number, figure, candidate in product(range(rounds), wanted, CANDIDATES):
        words = command(candidate, figure, beams)
        if words is None:
            continue
        print(f"\rround {number + 1} of {rounds}: {figure}, {candidate}".ljust(72), end="", file=sys.stderr, flush=True)
        done = subprocess.run(words, cwd=HERE.parent, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            sys.exit(f"\n{' '.join(words)} failed:\n{done.stderr}")
        for unit, value in json.loads(done.stdout.splitlines()[-1]).items():
            samples[f"{figure}.{unit}", candidate].append(value)
    print(file=sys.stderr)
    return {key: median(values) for key, values in samples.items()}


def compiled(directory: str) -> Path | None:
    """The folder of the compiled Erlang part; prints a message and returns None without Erlang."""
    if which("erlc") is None or which("erl") is None:
        print("no erlc here: OTP is left out (Debian: apt install erlang-nox erlang-dev)", file=sys.stderr)
        return None
    subprocess.run(["erlc", "-o", directory, str(HERE / "otp.erl")], check=True)
    return Path(directory)


# ------------------------------------------------------------------ showing


def text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(medians: Medians, wanted: list[str]) -> list[str]:
    """All figures, one column per candidate, in Markdown."""
    shown = [name for name in CANDIDATES if any(candidate == name for _, candidate in medians)]
    lines = ["| | " + " | ".join(shown) + " |", "| --- |" + " ---: |" * len(shown)]
    for figure in wanted:
        for unit, title in FIGURES[figure].items():
            cells = [text(medians.get((f"{figure}.{unit}", name))) for name in shown]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def best(medians: Medians, key: str, peer: str) -> float | None:
    """The better of the peer's variants on the event loop that hotdash is compared on."""
    ways = ("OTP", "OTP, 1 scheduler") if peer == "OTP" else (peer,)
    values = [medians[key, way] for way in ways if (key, way) in medians]
    if not values:
        return None
    return max(values) if key.endswith(".rate") else min(values)


def goals(medians: Medians, ours: str) -> list[str]:
    """The goals and the results on one loop; an asyncio actor is compared on the same loop."""
    loop = ours.removeprefix("hotdash")
    lines = [f"| {ours} | goal | reached | |", "| --- | ---: | ---: | --- |"]
    for figure, unit, peer, goal in GOALS:
        key = f"{figure}.{unit}"
        rival = best(medians, key, peer + loop if peer == "asyncio actor" else peer)
        if rival is None or (key, ours) not in medians:
            continue
        ratio = medians[key, ours] / rival
        higher = unit == "rate"
        met = ratio >= goal if higher else ratio <= goal
        sign = "≥" if higher else "≤"
        title = FIGURES[figure][unit].rpartition(", ")[0]
        lines.append(f"| {title}, to {peer} | {sign} {goal:g}x | {ratio:.2f}x | {'' if met else 'missed'} |")
    for figure, unit, limit in LIMITS:
        value = medians.get((f"{figure}.{unit}", ours))
        if value is not None:
            missed = "" if value <= limit else "missed"
            lines.append(f"| {FIGURES[figure][unit]} | ≤ {limit:g} | {text(value)} | {missed} |")
    return lines


def versions(beams: Path | None) -> str:
    """The measured versions, in one line."""
    words = [f"Python {python_version()}", *(f"{name} {version(name)}" for name in ("uvloop", "pykka", "xoscar"))]
    if beams is not None:
        ask = 'io:format("~s", [erlang:system_info(otp_release)]), halt().'
        asked = subprocess.run(["erl", "-noshell", "-eval", ask], capture_output=True, text=True, check=True)
        words.append(f"Erlang/OTP {asked.stdout}")
    return ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES), metavar="FIGURE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        beams = compiled(directory)
        medians = measure(options.only, options.rounds, beams)
        print(versions(beams) + f"; medians of {options.rounds} rounds\n")
    print("\n".join(table(medians, options.only)))
    for ours in ("hotdash", "hotdash, uvloop"):
        print("\n" + "\n".join(goals(medians, ours)))


if __name__ == "__main__":
    main()
