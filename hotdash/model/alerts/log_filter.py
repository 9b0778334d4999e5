"""The filter of events and log records, and the folding of repeated ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from hotdash.model.units import clock
from node_runtime.protocol import messages as m

from .troubles import cause_of, level_of

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
FOLD_DISTANCE: Final = 8
"""The number of preceding lines in which `fold` looks for an event that is equal to a new one."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_CLOCK: Final = re.compile(r"\d\d:[\d:]*")
_NUMBER: Final = re.compile(r"(?<!\w)(?<![^\W\d][-.])(?:0x[0-9a-f]+|\d+(?:[.,:]\d+)*)")
"""A number in which two events may differ. A number in a name, such as `room3` or `job-3`, is a part of the name."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The parts of a filter: words, words that must be absent, a minimum level, kinds, a maximum age in seconds.

    `clock` is the beginning of a time of day, such as "14:05".
    """

    words: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    level: int = 0
    kinds: tuple[str, ...] = ()
    seconds: float | None = None
    clock: str = ""

    def matches(self, event: m.NodeEvent, node_now: float) -> bool:
        """Return whether the filter keeps an event."""
        text = f"{event.kind} {event.text}".lower()
        if self.seconds is not None and event.at < node_now - self.seconds:
            return False
        if self.clock and not clock(event.at).startswith(self.clock):
            return False
        if self.kinds and event.kind not in self.kinds:
            return False
        level = level_of(event)
        if self.level and (level not in LEVELS or LEVELS.index(level) < self.level):
            return False
        return all(word in text for word in self.words) and not any(word in text for word in self.absent)


def parse_filter(text: str) -> LogFilter:
    """Return the filter that a person has typed: `level:error since:10m at:14:05 kind:process !health word`.

    A part that is not understood is a word.
    """
    found = LogFilter()
    for part in text.lower().split():
        name, _, value = part.partition(":")
        if name == "level" and value in LEVELS:
            found = replace(found, level=LEVELS.index(value))
        elif name == "kind" and value:
            found = replace(found, kinds=(*found.kinds, value))
        elif name == "since" and (seconds := _seconds(value)) is not None:
            found = replace(found, seconds=seconds)
        elif name == "at" and _CLOCK.fullmatch(value):
            found = replace(found, clock=value)
        elif part.startswith("!") and len(part) > 1:
            found = replace(found, absent=(*found.absent, part[1:]))
        else:
            found = replace(found, words=(*found.words, part))
    return found


def _seconds(text: str) -> float | None:
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    return float(number) * _UNITS[unit] if number.isascii() and number.isdigit() else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: the newest of `times` alike events, and the time of the first.

    Alike events differ only in numbers, such as pids.
    """

    event: m.NodeEvent
    times: int
    first_at: float


def fold(events: Iterable[m.NodeEvent]) -> list[Entry]:
    """Return the events as entries; an event that repeats one of the entries just before it is folded into that entry.

    Crash reports are alike if the same code has failed for the same reason, whatever the states were. A crash loop
    therefore takes as many lines as one crash, but events of processes with different names stay apart. The entries are
    in the order of their newest events, whose times they show.
    """
    entries: list[Entry] = []
    templates: list[str] = []
    for event in events:
        template = f"{event.kind} {level_of(event)} {_NUMBER.sub('#', cause_of(event))}"
        start = max(0, len(entries) - FOLD_DISTANCE)
        if template in templates[start:]:
            at = templates.index(template, start)
            before = entries.pop(at)
            del templates[at]
            entries.append(Entry(event, before.times + 1, before.first_at))
        else:
            entries.append(Entry(event, 1, event.at))
        templates.append(template)
    return entries
