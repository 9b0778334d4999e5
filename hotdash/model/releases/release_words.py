"""Words about a release: its status, whether an upgrade or a downgrade leads to it, and its health."""

from __future__ import annotations

from collections.abc import Sequence

from hotdash.model.styled_text import Line, Span, Tone, span
from hotdash.model.units import countdown
from node_runtime.protocol import messages as m

VERDICT_TONES: dict[str, Tone] = {"good": "ok", "bad": "bad", "unknown": "warn"}
"""The tone of a health verdict."""
STATUS_TONES: dict[str, Tone] = {"unpacked": "plain", "current": "warn", "permanent": "ok", "old": "muted"}
_VERDICTS = {"good": "good", "bad": "bad", "unknown": "observing"}


def running_release(listed: Sequence[m.ReleaseInfo]) -> m.ReleaseInfo | None:
    """Return the release that runs: the current one, else the permanent one, else None."""
    by_status = {release.status: release for release in listed}
    return by_status.get("current") or by_status.get("permanent")


def status_words(release: m.ReleaseInfo, node_now: float) -> Line:
    """Return the status of a release, with the time left on probation."""
    if release.probation_until is not None:
        left = countdown(release.probation_until - node_now)
        words: Line = (span("current", "warn"), span(f", on probation {left}", "warn"))
    else:
        words = (span(release.status, STATUS_TONES[release.status]),)
    if release.damaged or release.failed:
        words = (*words, span(", damaged" if release.damaged else ", failed", "bad"))
    return words


def direction_words(release: m.ReleaseInfo, running: str | None) -> str:
    """Return which changes lead from the release `running` to `release`: "up", "down", or both words.

    For the running release, return "running"; if no change leads to the release, return "no path".
    """
    if release.vsn == running:
        return "running"
    return " ".join(word for word, there in (("up", release.up), ("down", release.down)) if there) or "no path"


def health_words(health: m.Health) -> Span:
    """Return the verdict on a release in one word: good, bad, or observing while the node has no verdict yet."""
    return span(_VERDICTS[health.verdict], VERDICT_TONES[health.verdict])
