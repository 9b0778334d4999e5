"""The account of a room's messages: each member has to hear each message of each member once, in its order."""

from __future__ import annotations

from collections import defaultdict

from .counts import Counts


class Ledger:
    """The messages of the members of one room. A member says the numbers 1, 2, 3 and so on."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._said: dict[str, list[float]] = defaultdict(list)
        """For each member, the moments at which its messages were due."""
        self._heard: dict[tuple[str, str], int] = defaultdict(int)
        """For each listener and speaker, the last number that was heard."""

    def say(self, speaker: str, due: float) -> int:
        """Return the number that a member says at the moment `due`."""
        self._counts.sent += 1
        self._said[speaker].append(due)
        return len(self._said[speaker])

    def hear(self, listener: str, speaker: str, number: int, now: float) -> None:
        """Account for a message. The time until speakers hear themselves is the time of an answer."""
        said = self._said.get(speaker, [])
        if not 0 < number <= len(said):
            self._counts.fault("wrong", f"{listener} heard {number} of {speaker}, who has said {len(said)}")
            return
        expected = self._heard[listener, speaker] + 1
        if number < expected:
            self._counts.fault("doubled", f"{listener} heard {number} of {speaker} again, or too late")
            return
        if number > expected:
            self._counts.fault(
                "lost", f"{listener} heard {number} of {speaker} after {expected - 1}", number - expected
            )
        self._heard[listener, speaker] = number
        if listener == speaker:
            self._counts.seconds.append(now - said[number - 1])

    def is_complete(self, members: list[str]) -> bool:
        """Return whether each member has heard the last message of each member."""
        return all(self._heard[one, other] == len(self._said[other]) for one in members for other in members)

    def end(self, members: list[str]) -> None:
        """Count what members have not heard by now as lost."""
        for one in members:
            for other in members:
                if missing := len(self._said[other]) - self._heard[one, other]:
                    self._counts.fault("lost", f"{one} did not hear the last {missing} of {other}", missing)
