"""Two servers that are measured by turns, and the medians of what each of them did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from .clients import Client, Round
from .server import RunningServer


class Pair(NamedTuple):
    """What two servers did in one turn."""

    ours: Round
    other: Round


class Comparison(NamedTuple):
    """A comparison of two servers: its title, the goal for the ratio of the requests per second, and its turns."""

    title: str
    goal: float | None
    pairs: list[Pair]

    def ratio(self, figure: Callable[[Round], float]) -> float:
        """Return the median of the ratios of all turns."""
        return median(figure(pair.ours) / figure(pair.other) for pair in self.pairs)

    def lines(self) -> Iterator[str]:
        """Return the title, and a line for each figure with its medians, its ratio and the goal."""
        yield self.title
        yield self._line("requests per second", _by_clock, _by_clock, self.goal)
        several = any(pair.ours.share_of_busiest < 1 for pair in self.pairs)
        processor_goal = None if several else self.goal
        yield self._line("processor time of a request, us", _microseconds, _by_processor, processor_goal)
        if several:
            yield self._line("requests per second if each worker has a core", _by_busiest, _by_busiest, self.goal)
        load = max(one.client_load for pair in self.pairs for one in pair)
        yield f"  {'load of the client, of a core':46} {load:9.2f} at most"

    def _line(
        self, what: str, shown: Callable[[Round], float], rate: Callable[[Round], float], goal: float | None
    ) -> str:
        ours, other = (median(map(shown, side)) for side in zip(*self.pairs, strict=True))
        ratio = self.ratio(rate)
        verdict = "" if goal is None else f"   goal {goal:.2f}x: {'reached' if ratio >= goal else 'missed'}"
        return f"  {what:46} {ours:9,.1f} {other:9,.1f} {ratio:7.2f}x{verdict}"


def compared(
    title: str, goal: float | None, servers: tuple[RunningServer, RunningServer], client: Client, rounds: int,
    seconds: float,
) -> Comparison:  # fmt: skip
    """Measure our server and the other one by turns; in every second turn, the other one comes first."""
    ours, other = servers
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            second = client(other, seconds)
            pairs.append(Pair(client(ours, seconds), second))
        else:
            pairs.append(Pair(client(ours, seconds), client(other, seconds)))
    return Comparison(title, goal, pairs)


def _by_clock(one: Round) -> float:
    return one.per_second


def _microseconds(one: Round) -> float:
    return one.microseconds


def _by_processor(one: Round) -> float:
    return 1e6 / one.microseconds


def _by_busiest(one: Round) -> float:
    """Return the requests per second if each OS process of the server had a core for itself."""
    return 1e6 / (one.microseconds * one.share_of_busiest)
