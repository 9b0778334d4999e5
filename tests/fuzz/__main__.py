"""Runs all fuzzers and prints what they found: `python -m tests.fuzz [--scale 1.0] [--seed N] [--only NAME]`.

Each fuzzer has an OS process of its own, and two run at a time. The exit code is 1 if a goal is missed: no crash, no
hang, no file left, nothing wrongly accepted, and less than 1 MB of memory per 10,000 inputs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.support.sources import ROOT

from .campaign import HEADER, Campaign
from .decoders import fuzz_decoders
from .guided import fuzz_guided
from .http_requests import fuzz_http
from .real_node import fuzz_node
from .tarballs import fuzz_staging, fuzz_tarballs

FUZZERS: Final[dict[str, tuple[Callable[[int, int], Campaign], int]]] = {
    "tarballs": (fuzz_tarballs, 100_000),
    "decoders": (fuzz_decoders, 1_000_000),
    "guided": (fuzz_guided, 240),
    "http": (fuzz_http, 20_000),
    "node": (fuzz_node, 10_000),
    "staging": (fuzz_staging, 1_000),  # with fewer, a few pages of memory look like the slope that is the limit
}
"""Each fuzzer by its name, with its number of inputs, or of seconds if it is guided; the longest ones begin."""
AT_A_TIME: Final = 2


def main() -> int:
    """Run the fuzzers; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the protocols and the tarballs.")
    parser.add_argument("--scale", type=float, default=1.0, help="A factor for the number of inputs.")
    parser.add_argument("--seed", type=int, default=None, help="The seed of a former run, to repeat it.")
    parser.add_argument("--only", choices=FUZZERS, help="Run this fuzzer only, in this process.")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    if options.only:
        return run_one(options.only, options.scale, seed)
    print(f"seed {seed}\n{HEADER}", flush=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        codes = list(pool.map(lambda name: run_process(name, options.scale, seed), FUZZERS))
    return max(codes)


def run_one(name: str, scale: float, seed: int) -> int:
    """Run one fuzzer and print its line of the report; returns the exit code."""
    fuzzer, number = FUZZERS[name]
    campaign = fuzzer(max(1, int(number * scale)), seed)
    print(campaign.line(), *campaign.faults(), sep="\n", flush=True)
    return 0 if campaign.succeeded else 1


def run_process(name: str, scale: float, seed: int) -> int:
    """Run one fuzzer in a process of its own; returns 0 if it has reached its goals."""
    line = [sys.executable, "-m", "tests.fuzz", "--only", name, "--scale", str(scale), "--seed", str(seed)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    ended = f"the fuzzer {name} ended with {done.returncode}: {done.stderr[-3000:]}"
    print(done.stdout.rstrip() or ended, flush=True)
    return min(1, abs(done.returncode))


if __name__ == "__main__":
    sys.exit(main())
