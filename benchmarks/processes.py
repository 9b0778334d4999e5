"""Processes of node_runtime, compared with its peers: `python -m benchmarks.processes [ROUNDS] [--only FIGURE…]`.

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
    "node_runtime": ("ours", ""),
    "node_runtime, uvloop": ("ours", "uvloop"),
    "asyncio actor": ("asyncio_actor", ""),
    "asyncio actor, uvloop": ("asyncio_actor", "uvloop"),
    "xoscar": ("xoscar_actor", ""),
    "xoscar, uvloop": ("xoscar_actor", "uvloop"),
    "pykka": ("pykka_actor", ""),
    "OTP, 1 scheduler": ("otp", "1:1"),
    "OTP, all schedulers": ("otp", ""),
}

FIGURES: Final = {
    "call": {"rate": "calls/s to an idle server"},
    "call_queued": {"rate": "calls/s through the mailbox"},
    "call_async": {"rate": "calls/s to an async callback"},
    "call_clients": {"rate": "calls/s of 100 clients at once"},
    "cast": {"rate": "casts/s, sent and handled"},
    "cast_awaited": {"rate": "casts/s, sent by `await Queue.put` and handled"},
    "message": {"rate": "messages/s between two servers"},
    "receive": {"rate": "messages/s between two plain processes"},
    "spawn": {"rate": "spawns/s of a plain process that ends at once"},
    "start": {"rate": "starts/s of a server"},
    "children": {
        "bytes": "bytes of an idle child, one specification for each child",
        "start": "seconds to start 100,000 children",
        "stop": "seconds to stop 100,000 children",
    },
    "alike": {"bytes": "bytes of an idle child, one specification for all children"},
    "fairness": {"milliseconds": "longest wait for an idle server while another one has 1,000,000 queued messages, ms"},
    "watched": {"rate": "calls/s to a server with 100 links and 100 monitors"},
    "statistics": {"rate": "calls/s to a server with sys.statistics on"},
    "log": {"rate": "calls/s to a server with sys.log on"},
    "monitor": {"rate": "pairs/s of monitor and demonitor"},
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
"""The figures that each script can measure."""

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
    """The command that measures a figure; None if the candidate can't measure it."""
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
    """Compile the Erlang candidate; return the folder, or None, with a message, without Erlang."""
    if which("erlc") is None or which("erl") is None:
        print("OTP skipped: no erlc (Debian: apt install erlang-nox erlang-dev)", file=sys.stderr)
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
    """The figure of a peer; for OTP, the better of its two: one scheduler, or all schedulers."""
    ways = ("OTP, all schedulers", "OTP, 1 scheduler") if peer == "OTP" else (peer,)
    values = [medians[key, way] for way in ways if (key, way) in medians]
    if not values:
        return None
    return max(values) if key.endswith(".rate") else min(values)


def goals(medians: Medians, ours: str) -> list[str]:
    """The goals and the results of `ours`; the asyncio actor on the same event loop is the peer."""
    loop = ours.removeprefix("node_runtime")
    lines = [f"| {ours} | divided by that of | goal | reached | |", "| --- | --- | ---: | ---: | --- |"]
    for figure, unit, peer, goal in GOALS:
        key = f"{figure}.{unit}"
        rival = best(medians, key, peer + loop if peer == "asyncio actor" else peer)
        if rival is None or (key, ours) not in medians:
            continue
        ratio = medians[key, ours] / rival
        higher = unit == "rate"
        met = ratio >= goal if higher else ratio <= goal
        sign = "≥" if higher else "≤"
        title = FIGURES[figure][unit]
        lines.append(f"| {title} | {peer} | {sign} {goal:g}x | {ratio:.2f}x | {'' if met else 'missed'} |")
    for figure, unit, limit in LIMITS:
        value = medians.get((f"{figure}.{unit}", ours))
        if value is not None:
            missed = "" if value <= limit else "missed"
            lines.append(f"| {FIGURES[figure][unit]} | | ≤ {limit:g} | {text(value)} | {missed} |")
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
    for ours in ("node_runtime", "node_runtime, uvloop"):
        print("\n" + "\n".join(goals(medians, ours)))


if __name__ == "__main__":
    main()
