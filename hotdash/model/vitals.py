"""The node's vitals over the last minutes, as sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node_runtime.protocol.messages import Vitals

from .styled_text import Line, Span, Tone
from .units import count, duration, size

MAX_VITALS = 240
"""The maximum number of samples in a history, with one sample a second."""
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class VitalsHistory:
    """At most `MAX_VITALS` of the newest vitals, in the order of time."""

    samples: tuple[Vitals, ...] = ()

    def add(self, vitals: Vitals) -> VitalsHistory:
        """Return the history with one more sample; a sample that is not newer is ignored."""
        if self.samples and vitals.at <= self.samples[-1].at:
            return self
        return VitalsHistory((*self.samples[-MAX_VITALS + 1 :], vitals))


@dataclass(frozen=True, slots=True)
class Gauge:
    """One of the vitals: its title and its field. A value of `warn` or more is shown as a warning."""

    title: str
    field: str
    min_range: float
    """The minimum range of the sparkline; in a smaller range, noise would look like peaks."""
    warn: float = float("inf")
    from_minimum: bool = False
    """Whether the sparkline starts at the lowest value instead of zero."""

    def value(self, vitals: Vitals) -> float:
        return float(getattr(vitals, self.field))

    def words(self, value: float) -> str:
        """Return a value with its unit."""
        return _READINGS[self.field](value)

    def reading(self, vitals: Vitals) -> Span:
        number = self.value(vitals)
        tone: Tone = "warn" if number >= self.warn else "strong"
        return Span(_READINGS[self.field](number), tone)

    def sparkline(self, history: VitalsHistory, width: int) -> str:
        return sparkline(
            [self.value(vitals) for vitals in history.samples], width, self.min_range, from_minimum=self.from_minimum
        )


_READINGS = {
    "cpu_percent": lambda n: f"{n:.1f} %",
    "rss": size,
    "loop_lag": duration,
    "messages_per_second": lambda n: f"{count(n)}/s",
    "processes": count,
    "queued": count,
    "restarts": count,
}

GAUGES = (
    Gauge("cpu", "cpu_percent", 10.0, 80.0),
    Gauge("memory", "rss", 4e6, from_minimum=True),
    Gauge("loop lag", "loop_lag", 0.005, 0.1),
    Gauge("messages", "messages_per_second", 10.0),
    Gauge("queued", "queued", 8.0, 1000.0),
    Gauge("processes", "processes", 8.0, from_minimum=True),
    Gauge("restarts", "restarts", 3.0, from_minimum=True),
)


def sparkline(values: Sequence[float], width: int, min_range: float = 1.0, *, from_minimum: bool = False) -> str:
    """Return the newest `width` values as bars, right-aligned.

    The bars are scaled to the range of the values, or to `min_range` if that is larger.
    """
    newest = values[-width:] if width > 0 else []
    lowest = min(newest, default=0.0) if from_minimum else 0.0
    top = max((*(value - lowest for value in newest), min_range))
    heights = (int((max(value, lowest) - lowest) / top * len(_BARS)) for value in newest)
    return "".join(_BARS[min(len(_BARS) - 1, height)] for height in heights).rjust(width)


def gauge_lines(history: VitalsHistory, cells: int, cell_width: int) -> tuple[Line, Line]:
    """Return two lines, readings above sparklines, for the first `cells` gauges."""
    if not history.samples:
        return ((Span("no vitals yet", "muted"),), ())
    newest = history.samples[-1]
    above: list[Span] = []
    below: list[Span] = []
    for gauge in GAUGES[:cells]:
        reading = gauge.reading(newest)
        gap = cell_width - len(gauge.title) - len(reading.text) - 2
        above += (Span(gauge.title, "muted"), Span(" " * max(gap, 1)), reading, Span("  "))
        below += (
            Span(gauge.sparkline(history, cell_width - 2), "ok" if reading.tone != "warn" else "warn"),
            Span("  "),
        )
    return tuple(above), tuple(below)


def blocked_words(history: VitalsHistory, last_heard: float, now: float) -> str:
    """Return for how long the event loop has been blocked until `now`, and where; empty if it is not blocked."""
    vitals = history.samples[-1] if history.samples else None
    if vitals is None or not vitals.blocked:
        return ""
    seconds = vitals.loop_lag + max(0.0, now - last_heard)
    return f"Event loop blocked {seconds:.1f} s at {vitals.blocked}"
