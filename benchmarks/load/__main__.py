"""Counts what goes wrong while sites are upgraded under load, and measures the longest response.

Each site gets 60 % of the requests that it can answer, each at a fixed moment, and the hub has 500 websockets whose
members talk. In each run, the sites are upgraded, downgraded and committed, and some upgrades fail and are put back. A
run without upgrades, as long as the other one, follows each of them. nine9s runs on a real OTP, too, with the same load
as on a node. The exit code is 1 if anything failed, was wrong, dropped, lost or doubled on a node, or if the longest
response under upgrades is more than 3 times the longest without: the medians of the maxima of all runs. What goes wrong
on OTP changes nothing about the exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from .measurement import Amount, Outcome, measure
from .node_site import node_site
from .otp_site import has_otp, otp_site
from .projects import HUB, NINE9S
from .report import problems, table
from .site_under_load import SiteUnderLoad, UpgradeFailed

SITES: Final = ("nine9s", "otp", "hub")


async def measured(
    site: AbstractAsyncContextManager[SiteUnderLoad], title: str, amount: Amount, *, rate: float | None, swarm: bool
) -> Outcome:
    """Start a site, measure it, and stop it."""

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {title}: {text}", file=sys.stderr, flush=True)

    say("building and starting")
    outcome = Outcome()
    try:
        async with site as running:
            await measure(running, amount, outcome, rate=rate, swarm=swarm, say=say)
    except UpgradeFailed as error:
        outcome.trouble = str(error)
    return outcome


async def measure_all(chosen: list[str], amount: Amount, rate: float | None) -> dict[str, Outcome]:
    """Measure the chosen sites, one after the other; OTP gets the same load as the node that runs nine9s.

    SIGTERM ends the measurement in the same way as SIGINT: the site that runs is stopped.
    """
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="load-") as made:
        folders = {name: Path(made) / name for name in chosen}
        for folder in folders.values():
            folder.mkdir()
        if "nine9s" in chosen:
            site = node_site(NINE9S, folders["nine9s"])
            outcomes["nine9s"] = await measured(site, "nine9s", amount, rate=rate, swarm=False)
        if "otp" in chosen:
            same = outcomes["nine9s"].rate if "nine9s" in outcomes else rate
            site_of_otp = otp_site(folders["otp"])
            outcomes["nine9s on OTP"] = await measured(site_of_otp, "OTP", amount, rate=same, swarm=False)
        if "hub" in chosen:
            outcomes["hub"] = await measured(node_site(HUB, folders["hub"]), "hub", amount, rate=rate, swarm=True)
    return outcomes


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each site, with upgrades and without")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of an upgrade and a downgrade in each run")
    parser.add_argument("--failures", type=int, default=5, help="forced failures in each run")
    parser.add_argument("--sockets", type=int, default=500, help="websockets of the hub")
    parser.add_argument("--messages", type=float, default=50.0, help="messages per second, of all websockets together")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two operations")
    parser.add_argument("--rate", type=float, help="requests per second, instead of 60 %% of the capacity")
    parser.add_argument("--only", nargs="+", choices=SITES, default=list(SITES), help="the sites to measure")
    return parser.parse_args()


def main() -> int:
    """Measure, print the table and the problems, and return the exit code."""
    options = arguments()
    chosen = options.only
    if "otp" in chosen and not has_otp():
        chosen = [name for name in chosen if name != "otp"]
        print("OTP is skipped: there is no erl and erlc here (Debian: apt install erlang-nox)")
        if not chosen:
            return 0
    failures = min(options.failures, options.rounds)
    amount = Amount(options.runs, options.rounds, failures, options.sockets, options.messages, options.pause)
    before = os.getloadavg()[0]
    try:
        outcomes = asyncio.run(measure_all(chosen, amount, options.rate))
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("The measurement was stopped by a signal; its site was stopped, and its folders were removed.")
        return 1
    print("\n".join(table(outcomes)))
    print(f"\nThe machine's load was {before:.1f} before, and is {os.getloadavg()[0]:.1f} now.")
    for note in (line for name, outcome in outcomes.items() if "OTP" in name for line in problems(name, outcome)):
        print(f"Of OTP: {note}")
    found = [line for name, outcome in outcomes.items() if "OTP" not in name for line in problems(name, outcome)]
    for problem in found:
        print(f"PROBLEM: {problem}")
    if not found:
        print("Nothing failed, was wrong, dropped, lost or doubled, and no response took too long.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
