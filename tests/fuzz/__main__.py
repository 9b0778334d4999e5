"""Runs all fuzzers and prints what they found: `python -m tests.fuzz [--scale 1.0] [--seed N] [--only NAME]`.

The exit code is 1 if a goal is missed: no crash, no hang, no file left, nothing wrongly accepted, and less than 1 MB of
memory per 10,000 inputs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Final

from .campaign import HEADER, Campaign
from .decoders import fuzz_decoders
from .real_node import fuzz_node

FUZZERS: Final[dict[str, tuple[Callable[[int, int], Campaign], int]]] = {
    "decoders": (fuzz_decoders, 1_000_000),
    "node": (fuzz_node, 10_000),
}
"""Each fuzzer by its name, with its number of inputs."""


def main() -> int:
    """Run the fuzzers; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the protocol and the tarballs.")
    parser.add_argument("--scale", type=float, default=1.0, help="A factor for the number of inputs.")
    parser.add_argument("--seed", type=int, default=None, help="The seed of a former run, to repeat it.")
    parser.add_argument("--only", choices=FUZZERS, action="append", help="Run this fuzzer only.")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {seed}\n{HEADER}", flush=True)
    campaigns = []
    for name in options.only or FUZZERS:
        fuzzer, number = FUZZERS[name]
        campaigns.append(fuzzer(max(1, int(number * options.scale)), seed))
        print(campaigns[-1].line(), flush=True)
    for campaign in campaigns:
        print(*campaign.faults(), sep="\n", end="\n" if campaign.faults() else "")
    return 0 if all(campaign.succeeded for campaign in campaigns) else 1


if __name__ == "__main__":
    sys.exit(main())
