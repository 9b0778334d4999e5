"""One hostile tarball: its name, the function that writes it, and the refusal that a node owes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from .good_release import GoodRelease
from .raw_tar import Member, archive, compressed

Verdict = Literal["corrupt", "invalid", "harmless"]
"""What has to happen to a tarball.

"corrupt": it is refused as one that does not agree with its manifest, or is no tarball of a release. "invalid": it
agrees with its manifest, but is refused because a node could not run it. "harmless": it may be refused; if it is
unpacked, the node has exactly the files of its manifest, and everything that reads releases works.
"""
Change = Callable[[list[Member]], list[Member]]


@dataclass(frozen=True, slots=True)
class HostileTarball:
    """A tarball that differs from a good release; `build` makes its bytes."""

    name: str
    build: Callable[[GoodRelease], bytes]
    verdict: Verdict = "corrupt"


def changed_members(name: str, change: Change, verdict: Verdict = "corrupt") -> HostileTarball:
    """A tarball with other members than the good release; the manifest is the good one."""
    return HostileTarball(name, lambda good: compressed(archive(change(good.members()))), verdict)


def changed_last(name: str, change: Callable[[Member], Member], verdict: Verdict = "corrupt") -> HostileTarball:
    """A tarball whose last member is another one."""
    return changed_members(name, lambda members: [*members[:-1], change(members[-1])], verdict)


def changed_release(
    name: str, change: Callable[[GoodRelease], GoodRelease], verdict: Verdict = "corrupt"
) -> HostileTarball:
    """A tarball of another release, which agrees with its manifest as far as `change` lets it."""
    return HostileTarball(name, lambda good: change(good).tarball(), verdict)


def added(name: str, *extra: Member, verdict: Verdict = "corrupt") -> HostileTarball:
    """A tarball with members that its manifest does not list, before the last one."""
    return changed_members(name, lambda members: [*members[:-1], *extra, members[-1]], verdict)


def all_of(*groups: Iterable[HostileTarball]) -> tuple[HostileTarball, ...]:
    """The cases of several groups, each name once."""
    cases = tuple(case for group in groups for case in group)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return cases
