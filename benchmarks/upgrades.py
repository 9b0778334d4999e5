"""An upgrade of many servers with code_change, here and in OTP: `python -m benchmarks.upgrades [ROUNDS] [--sizes N…]`.

Both sides run the same pool: servers under one simple_one_for_one supervisor. The upgrade adds one field to each state
while one client calls one of the servers every millisecond. On OTP's side, `systools` makes a release of the Erlang
sources in this folder and `release_handler` installs it; on ours, the node's release handler does.

The sides take turns. The output shows the best of all rounds, in milliseconds, because other
programs on the machine can only lengthen a wait. The gap is the longest wait of the client for a
reply. On our side, where everything shares one thread, it is counted from the moment at which the
call was due.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from platform import python_version
from shutil import copy, which
from typing import Final

SOURCES: Final = Path(__file__).parent / "pool"
SIZES: Final = (1_000, 10_000, 100_000)
SECONDS: Final = 600

APP: Final = """
{application, pool, [{description, "pool"}, {vsn, "VSN"}, {modules, [pool_top, pool_worker]}, {registered, [pool_top]},
    {applications, [kernel, stdlib, sasl]}, {mod, {pool_top, []}}]}.
"""

Best = dict[tuple[str, int, str], float]

FIGURES: Final = {
    ("node_runtime", "gap_before"): "gap while node_runtime prepares the code and rehearses",
    ("node_runtime", "gap"): "gap from the hold on, node_runtime",
    ("OTP", "gap"): "gap during the install, OTP",
    (
        "node_runtime",
        "prepare",
    ): "preparing the code (compiling it, executing it in a copy and in the node), node_runtime",
    ("node_runtime", "install"): "whole install without preparing and rehearsing, node_runtime",
    ("OTP", "install"): "whole install, OTP",
    ("node_runtime", "pause"): "pause (hold, code_change, resume), node_runtime",
    ("node_runtime", "failed_pause"): "pause of an install that fails at the last server, node_runtime",
    ("node_runtime", "failed_gap"): "gap from the hold on of an install that fails at the last server, node_runtime",
}


# ------------------------------------------------------------------ measuring


@contextmanager
def otp_release() -> Iterator[Path]:
    """Make a directory with both releases; the first is bootable."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for vsn, options in (("1.0.0", []), ("2.0.0", ["-DTAGGED"])):
            beams = root / "lib" / f"pool-{vsn}" / "ebin"
            beams.mkdir(parents=True)
            sources = [str(SOURCES / f"{name}.erl") for name in ("pool_worker", "pool_top")]
            subprocess.run(["erlc", *options, "-o", str(beams), *sources], check=True)
            (beams / "pool.app").write_text(APP.replace("VSN", vsn))
        copy(SOURCES / "pool.appup", beams)
        subprocess.run(["erlc", "-o", directory, str(SOURCES / "pool_bench.erl")], check=True)
        subprocess.run(["erl", "-noshell", "-pa", directory, "-run", "pool_bench", "build", directory], check=True)
        yield root


def otp_command(root: Path) -> list[str]:
    """The command that boots the first release and upgrades it."""
    boot = ["-boot", str(root / "releases/1.0.0/start"), "-sasl", "releases_dir", json.dumps(str(root / "releases"))]
    return ["erl", "-noshell", "+P", "2000000", *boot, "-pa", str(root), "-run", "pool_bench", "upgrade", str(root)]


def measure(candidate: str, size: int) -> dict[str, float]:
    """The seconds of one upgrade, in a fresh OS process."""
    if candidate == "OTP":
        with otp_release() as root:
            return run(otp_command(root), POOL=str(size))
    return run([sys.executable, "-m", "benchmarks.pool_node", str(size)])


def run(words: list[str], **environment: str) -> dict[str, float]:
    done = subprocess.run(
        words,
        cwd=SOURCES.parent.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        sys.exit(f"\n{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def best(candidates: list[str], sizes: list[int], rounds: int) -> Best:
    """Measure all sides in turn; return the best figures of each."""
    samples: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    for number, size, candidate in product(range(rounds), sizes, candidates):
        print(f"\rround {number + 1} of {rounds}: {size}, {candidate}".ljust(60), end="", file=sys.stderr, flush=True)
        for figure, seconds in measure(candidate, size).items():
            samples[candidate, size, figure].append(seconds)
    print(file=sys.stderr)
    return {key: min(values) for key, values in samples.items()}


# ------------------------------------------------------------------ showing


def table(found: Best, sizes: list[int]) -> Iterator[str]:
    """All figures in milliseconds, in Markdown."""
    yield "| milliseconds | " + " | ".join(f"{size:,} servers" for size in sizes) + " |"
    yield "| --- |" + " ---: |" * len(sizes)
    for (candidate, figure), title in FIGURES.items():
        values = [found.get((candidate, size, figure)) for size in sizes]
        if any(values):
            yield f"| {title} | " + " | ".join("" if one is None else f"{one * 1000:,.1f}" for one in values) + " |"


def goals(found: Best, sizes: list[int]) -> Iterator[str]:
    """The goals and the results."""
    yield "| ratio (goal) | " + " | ".join(f"{size:,} servers" for size in sizes) + " |"
    yield "| --- |" + " ---: |" * len(sizes)
    for title, ours, theirs, limits in (
        ("gap from the hold on, divided by OTP's gap", ("node_runtime", "gap"), ("OTP", "gap"), {1_000: 0.5}),
        (
            "install, divided by OTP's install",
            ("node_runtime", "install"),
            ("OTP", "install"),
            dict.fromkeys(sizes, 0.5),
        ),
        (
            "pause of a failed install, divided by the pause of a successful one",
            ("node_runtime", "failed_pause"),
            ("node_runtime", "pause"),
            dict.fromkeys(sizes, 2),
        ),
    ):
        cells = []
        for size in sizes:
            one, other = (found.get((candidate, size, figure)) for candidate, figure in (ours, theirs))
            if one is not None and other is not None:
                limit = limits.get(size, 0.25)
                missed = "" if one / other <= limit else ", missed"
                cells.append(f"{one / other:.2f}x (≤ {limit:g}x{missed})")
        if cells:
            yield f"| {title} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrades", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), metavar="N")
    options = parser.parse_args()
    candidates, names = ["node_runtime"], [f"Python {python_version()}"]
    if which("erlc") and which("erl"):
        ask = 'io:format("~s", [erlang:system_info(otp_release)]), halt().'
        asked = subprocess.run(["erl", "-noshell", "-eval", ask], capture_output=True, text=True, check=True)
        candidates.append("OTP")
        names.append(f"Erlang/OTP {asked.stdout}")
    else:
        print("OTP skipped: no erlc (Debian: apt install erlang-nox)", file=sys.stderr)
    found = best(candidates, options.sizes, options.rounds)
    print(f"{', '.join(names)}; the best of {options.rounds} rounds\n")
    print("\n".join(table(found, options.sizes)) + "\n")
    print("\n".join(goals(found, options.sizes)))


if __name__ == "__main__":
    main()
