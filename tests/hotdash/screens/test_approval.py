"""Approvals of an install, on a node whose installs need several people."""

from __future__ import annotations

from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import a_plan
from tests.support.dashboard.scripted_peer import Peer

TWO_PEOPLE = m.ReleaseTrust(keys=(m.ReleaseKeyInfo(name="ana", id="0025B368129AD39C", role="release"),), approvals=2)


async def test_a_release_that_another_person_has_staged_is_approved_by_a_key(opened: Open, peer: Peer) -> None:
    peer.world.trust = TWO_PEOPLE
    async with opened(read_only=False) as user:
        await user.press("5", "down")
        await user.sees("Y approve", "Y approves its install, if another person has staged it.")
        await user.press("Y")
        await user.sees("Approve 1986.b", "on fil@127.0.0.1", "$ hotdash approve fil@127.0.0.1 1986.b")
        await user.type("read it")
        await user.sees("$ hotdash approve fil@127.0.0.1 1986.b --reason 'read it'")
        await user.press("enter", "enter")
        await user.is_notified("release 1986.b on fil@127.0.0.1 is approved by bob@example: no more approvals needed.")
        assert peer.asked("approve") == [m.Approve(target="1986.b", reason="read it")]


async def test_an_upgrade_that_lacks_an_approval_shows_the_plan_and_asks_for_no_consent(
    opened: Open, peer: Peer
) -> None:
    peer.world.trust = TWO_PEOPLE
    approval = m.Approval(vsn="1986.b", plan_id="3f9a1c", missing=1, first="alice@example")
    peer.world.plans["1986.b"] = a_plan("1986.b", approval=approval)
    async with opened(read_only=False) as user:
        await user.press("5", "down", "U")
        await user.sees("Not possible now: 1 approval missing.", "with a key other than alice@example", "Y approve")
        assert "Type 1986.b" not in user.frame()


async def test_keys_that_are_rarely_useful_are_shown_only_while_they_are(opened: Open, peer: Peer) -> None:
    async with opened(read_only=False) as user:
        await user.press("6")
        await user.sees("P commit", "X roll back")
        assert "A abort" not in user.frame()
        await user.press("5", "down")
        await user.sees("U upgrade")
        assert "Y approve" not in user.frame()
        await user.press("Y")
        await user.is_notified("There is nothing to approve: an install on fil@127.0.0.1 needs no approval.")
        peer.begin(m.Operation(id="op-7", kind="install", from_vsn="1986.a", to_vsn="1986.b", who="bob", started=0.0,
                               phase="waiting", direction="up"))  # fmt: skip
        await user.press("6")
        await user.sees("A abort")
