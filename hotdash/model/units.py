"""Ages, durations, sizes and counts as short text."""

from __future__ import annotations

import time

_UNITS = ("B", "kB", "MB", "GB", "TB")


def age(seconds: float) -> str:
    """Return a time span, rounded down, such as `4 s`, `3 min`, `2 h 05` (2 hours and 5 minutes) or `6 d`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02}"
    return f"{whole // 86_400} d"


def countdown(seconds: float) -> str:
    """Return the time left until a deadline in minutes and seconds, such as `9:31`."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """Return a measured duration, such as `84 µs`, `4.1 ms`, `340 ms`, `2.4 s`, `3 min`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.01:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return age(seconds)


def size(number: float) -> str:
    """Return a number of bytes with two or three digits, such as `48 MB` or `1.2 GB`."""
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            return f"{number:.1f} {unit}" if number < 10 and unit != "B" else f"{number:.0f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def count(number: float) -> str:
    """Return a count: `7`, `930`, `12.4 k`, `1.2 M`."""
    for unit in ("", " k", " M"):
        if number < 1000 or unit == " M":
            return f"{number:.0f}{unit}" if not unit or number >= 100 else f"{number:.1f}{unit}"
        number /= 1000
    raise AssertionError("unreachable")


def clock(at: float) -> str:
    """Return the local time of day of a Unix time: `21:04:33`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float, now: float) -> str:
    """Return the time of day of `at`; if `at` is not on the day of `now`, return date and time."""
    here, then = time.localtime(now), time.localtime(at)
    same_day = (here.tm_year, here.tm_yday) == (then.tm_year, then.tm_yday)
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M", then)


def plural(number: int, thing: str, things: str | None = None) -> str:
    """Return a number with its noun: `1 process`, `3,000 processes`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
