"""The parts of a node that take part in installs, such as the web listeners. This package doesn't import these parts.

A participant registers itself with `participants().add`. An install first calls `prepare`, when nothing is suspended
yet. For each attempt to switch, it calls `pause`, then perhaps `switch` and `put_back`, and then `resume`. At the end,
it calls `done` after a success, or `discard` after a failure.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from node_runtime.code import Batch
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker, OldCodeHolder

from .transition import Transition

logger: Final = logging.getLogger("node_runtime")

HeldModules = tuple[OldCodeHolder, list[str]]
"""Something that will stay in old code, and the modules whose old versions it keeps."""


FindOldCodeHolders = Callable[[], Awaitable[Sequence[OldCodeHolder]]]
"""Returns what keeps an old version. The search takes a while, so it is called only if needed."""


class InstallParticipant(Protocol):
    """A part of the node that takes part in installs."""

    def warnings(self, batch: Batch) -> list[str]:
        """Return sentences about what the install of the versions in `batch` will do. Runs in a copy of the node."""

    def blockers(self, transition: Transition, batch: Batch) -> list[Blocker]:
        """Return why the new versions in `batch` can't be installed.

        Runs before anything is suspended, and changes nothing.
        """

    def served(self, batch: Batch) -> list[str]:
        """Return the names of the replaced code that applications would still serve.

        `blockers` names these applications.
        """

    def staying(self, transition: Transition, holders: list[HeldModules]) -> tuple[list[str], list[HeldModules]]:
        """Return sentences about the holders of old code that this participant knows, and a list of all others."""

    def counted(self, holders: Sequence[OldCodeHolder]) -> list[OldCodeHolder]:
        """Return `holders`, but with only one entry for several holders that are parts of the same thing.

        For example, the open requests of a listener become one entry. May be called in a thread.
        """

    async def close(self, find_holders: FindOldCodeHolders) -> list[str]:
        """For a purge, close what this participant can close among the holders of an old version. Return it as clauses.

        Afterwards, the purge kills or cancels the holders that are left.
        """

    async def prepare(self, transition: Transition, batch: Batch) -> None:
        """Do the part of the change that may take long or fail. An error aborts the install."""

    async def pause(self, transition: Transition) -> None:
        """Begin nothing new in the old versions, and wait a short time for work that ends soon.

        The processes are suspended afterwards. `resume` follows in any case, even if `pause` was cancelled.
        """

    def resume(self) -> None:
        """Go on after `pause`; the processes run again. May be called several times. Must not fail."""

    def switch(self) -> None:
        """Change to the new versions, which have just become current. Must not wait."""

    def put_back(self) -> None:
        """Undo `switch`. Must not fail; does nothing if `switch` was not called."""

    async def discard(self) -> None:
        """Undo `prepare`, when the install has failed. `prepare` may not have been called, or may not have ended."""

    def done(self) -> None:
        """End what still runs in old versions, such as the old startup tasks of a web application.

        Runs after all processes have been resumed. Doesn't wait until the old tasks have ended.
        """


class InstallParticipants:
    """All parts of the node that take part in installs: the participants.

    Each method calls the participants in the order in which they were added.
    """

    def __init__(self) -> None:
        self._all: list[InstallParticipant] = []

    def add(self, participant: InstallParticipant) -> None:
        """Let the participant take part in installs from now on."""
        self._all.append(participant)

    def warnings(self, batch: Batch) -> list[str]:
        """Return the sentences of all participants about the install of the new versions in `batch`."""
        return [sentence for one in self._all for sentence in one.warnings(batch)]

    def blockers(self, transition: Transition, batch: Batch) -> list[Blocker]:
        """Return the blockers of all participants."""
        return [blocker for one in self._all for blocker in one.blockers(transition, batch)]

    def served(self, batch: Batch) -> list[str]:
        """Return the names of the replaced classes and functions that applications would still serve."""
        return [name for one in self._all for name in one.served(batch)]

    def staying(self, transition: Transition, holders: Sequence[HeldModules]) -> tuple[list[str], list[HeldModules]]:
        """Return the sentences of all participants about holders of old code, and a list of the remaining holders."""
        sentences, left = list[str](), list(holders)
        for one in self._all:
            found, left = one.staying(transition, left)
            sentences += found
        return sentences, left

    def counted(self, holders: Sequence[OldCodeHolder]) -> tuple[OldCodeHolder, ...]:
        """Return `holders`, but with only one entry for several holders that are parts of the same thing."""
        for one in self._all:
            holders = one.counted(holders)
        return tuple(holders)

    async def close(self, find_holders: FindOldCodeHolders) -> tuple[str, ...]:
        """Let all participants close what they can close among the holders; return what was closed, in words."""
        return tuple([closed for one in self._all for closed in await one.close(find_holders)])

    async def prepare(self, transition: Transition, batch: Batch) -> None:
        """Prepare all participants, one after the other. Raises the first error."""
        for one in self._all:
            await one.prepare(transition, batch)

    async def pause(self, transition: Transition) -> None:
        """Let all participants pause, one after the other."""
        for one in self._all:
            await one.pause(transition)

    def resume(self) -> None:
        """Let all participants go on after `pause`."""
        for one in self._all:
            one.resume()

    def switch(self) -> None:
        """Let all participants change to the new versions."""
        for one in self._all:
            one.switch()

    def put_back(self) -> None:
        """Undo the switch of all participants."""
        for one in self._all:
            one.put_back()

    async def discard(self) -> None:
        """Discard what all participants have prepared. An error is only logged."""
        for one in self._all:
            try:
                await one.discard()
            except Exception:
                logger.exception("an install failed, and undoing its preparations failed, too")

    def done(self) -> None:
        """Let all participants end what still runs in old versions, without waiting.

        An error is only logged: the new code runs.
        """
        for one in self._all:
            try:
                one.done()
            except Exception:
                logger.exception("an install succeeded, but ending what still runs in old versions failed")


def participants() -> InstallParticipants:
    """Return the parts of this node that take part in its installs."""
    return runtime().singleton(InstallParticipants)
