"""The two-person rule: if `approvals` in etc/node.toml is 2 or more, other people must approve an install.

One person stages a release. Another person approves either the release's content, by naming its version, or one plan,
by naming the plan's id. The person who staged a release can't approve it. If a release was unpacked while the node was
down, nobody knows who staged it; then the person who requests its install can't approve it. Approvals are kept in
memory: after a restart, they have to be given again. A return to the permanent release needs no approval.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.messages import Approval, Approve, Install, Plan

from .files.manifest import sha256
from .store.release_store import ReleaseStore

MAX_APPROVED: Final = 100
"""The approvals of at most this many releases and plans are kept; the oldest are forgotten."""


class Approvals:
    """The approvals since the boot. `plan_id(vsn)` returns the id that a plan for `vsn` has now, or raises Refused.

    A person is identified by the name of a key, never by a name that a client claims. May be used only in the event
    loop's thread.
    """

    def __init__(self, store: ReleaseStore, plan_id: Callable[[str], str]) -> None:
        self._store = store
        self._plan_id = plan_id
        self._given: dict[str, frozenset[str]] = {}
        """The people who approved a release or a plan, by the hash of the release's manifest or the id of the plan."""

    def approve(self, request: Approve, person: str) -> Approval:
        """Record the approval by `person`. Raises Refused."""
        if self._needed() == 1:
            raise Refused("This node's installs need no approval; to require it, set `approvals = 2` in etc/node.toml.")
        vsn, plan_id = self._find(request.target)
        if self._stager(vsn) == person:
            raise Refused(
                f"{person} has staged release {vsn}, so a person with another key has to approve it.",
                ExitCode.NOT_ALLOWED,
            )
        subject = plan_id or self._content(vsn)
        people = self._given.pop(subject, frozenset()) | {person}
        self._given[subject] = people
        while len(self._given) > MAX_APPROVED:
            del self._given[next(iter(self._given))]
        return self._state(vsn, plan_id, self._stager(vsn), people)

    def of_plan(self, plan: Plan, person: str) -> Approval | None:
        """Return the approvals so far for the install of `plan` by `person`; None if the install needs none. Raises
        Refused.
        """
        if plan.nothing_to_do or plan.to_vsn == self._store.permanent or self._needed() == 1:
            return None
        first = self._stager(plan.to_vsn) or person
        return self._state(plan.to_vsn, plan.id, first, self._people(plan.to_vsn, plan.id) - {first})

    def check(self, request: Install, person: str) -> None:
        """Raise Refused if the install that `person` requests lacks an approval."""
        if self._needed() == 1 or request.vsn == self._store.permanent:
            return
        first = self._stager(request.vsn) or person
        if missing := self._missing(request.vsn, request.plan_id, first):
            people = "a person" if missing == 1 else f"{missing} people"
            raise Refused(
                f"Release {request.vsn} needs the approval of {people} with a key other than {first}: "
                f"`hotdash approve NODE {request.vsn}`.",
                ExitCode.NOT_ALLOWED,
            )

    def _state(self, vsn: str, plan_id: str | None, first: str | None, people: frozenset[str]) -> Approval:
        missing = self._missing(vsn, plan_id, first)
        return Approval(vsn=vsn, plan_id=plan_id, approved_by=tuple(sorted(people)), missing=missing, first=first)

    def _missing(self, vsn: str, plan_id: str | None, first: str | None) -> int:
        return max(0, self._needed() - 1 - len(self._people(vsn, plan_id) - {first}))

    def _people(self, vsn: str, plan_id: str | None) -> frozenset[str]:
        return self._given.get(self._content(vsn), frozenset()) | self._given.get(plan_id or "", frozenset())

    def _needed(self) -> int:
        policy = self._store.trust_policy()
        if policy.error is not None:
            raise Refused(policy.error)
        return policy.settings.approvals

    def _find(self, target: str) -> tuple[str, str | None]:
        """Return the release that `target` names, and the plan's id if `target` is the id of a plan. Raises Refused."""
        releases = self._store.record.releases
        if target in releases:
            return target, None
        for vsn in releases:
            with suppress(Refused):
                if self._plan_id(vsn) == target:
                    return vsn, target
        raise Refused(
            f"There is no release {target} on this node, and no valid plan with this id; see `hotdash releases NODE`."
        )

    def _content(self, vsn: str) -> str:
        self._store.entry(vsn)
        return sha256(self._store.catalog.release(vsn).manifest.encoded())

    def _stager(self, vsn: str) -> str | None:
        origin = self._store.entry(vsn).origin
        return None if origin is None else origin.staged_by
