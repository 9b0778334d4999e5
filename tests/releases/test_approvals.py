"""The two-person rule: who may approve an install, and which install then begins."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_statem
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.approvals import Approvals
from node_runtime.releases.files.manifest import manifest_path, sha256
from node_runtime.releases.store import commit_record
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LAMP, LAMP_2, LOAD_COUNTER, LOAD_LAMP
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def boot(small: SmallNode, approvals: int = 2, staged_by: str | None = "ana") -> Approvals:
    """Boot a node with this rule, on which `staged_by` has staged release 2."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    record = commit_record.load(small.root)
    assert record is not None
    manifest = sha256((small.root / manifest_path("2")).read_bytes())
    origin = commit_record.ReleaseOrigin(tarball="0" * 64, manifest=manifest, staged_by=staged_by)
    commit_record.save(small.root, record.with_origin("2", origin))
    (small.root / "etc").mkdir()
    (small.root / "etc/node.toml").write_text(f"approvals = {approvals}\n")
    return small.boot().approvals


INSTALL = m.Install(vsn="2")


def refused(approvals: Approvals, person: str, install: m.Install = INSTALL) -> str:
    with pytest.raises(Refused) as refusal:
        approvals.check(install, person)
    assert refusal.value.code == ExitCode.NOT_ALLOWED
    return refusal.value.sentence


async def test_an_install_waits_for_a_second_person(small: SmallNode) -> None:
    approvals = boot(small)
    assert "needs the approval of a person with a key other than ana" in refused(approvals, "ana")
    assert "a key other than ana" in refused(approvals, "bob")
    approval = approvals.approve(m.Approve(target="2"), "bob")
    assert approval == m.Approval(vsn="2", approved_by=("bob",), first="ana")
    for person in ("ana", "bob", "zoe"):
        approvals.check(INSTALL, person)


async def test_the_person_that_staged_a_release_does_not_approve_it(small: SmallNode) -> None:
    approvals = boot(small)
    with pytest.raises(Refused, match="ana has staged release 2, so a person with another key"):
        approvals.approve(m.Approve(target="2"), "ana")


async def test_for_a_release_that_was_unpacked_offline_requester_and_approver_differ(small: SmallNode) -> None:
    approvals = boot(small, staged_by=None)
    approvals.approve(m.Approve(target="2"), "bob")
    assert "a key other than bob" in refused(approvals, "bob")
    approvals.check(INSTALL, "ana")


async def test_the_approval_of_a_plan_is_for_this_plan_only(small: SmallNode) -> None:
    approvals = boot(small)
    plan = await small.handler.plan("2")
    approval = approvals.approve(m.Approve(target=plan.id), "bob")
    assert (approval.vsn, approval.plan_id, approval.missing) == ("2", plan.id, 0)
    refused(approvals, "ana")
    refused(approvals, "ana", m.Install(vsn="2", plan_id="0" * 16))
    approvals.check(m.Install(vsn="2", plan_id=plan.id), "ana")


async def test_an_install_that_waits_is_aborted_if_it_needs_more_people_meanwhile(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2}, LOAD_LAMP)
    handler = small.boot()
    lamp = await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")
    operation = handler.install(m.Install(vsn="2", wait=600.0), "ann")
    await eventually(lambda: handler.operation(operation).phase == "waiting", what="the wait")
    (small.root / "etc").mkdir()
    (small.root / "etc/node.toml").write_text("approvals = 2\n")
    gen_statem.cast(lamp, "green")
    ended = await small.ended(operation)
    assert ended.outcome == "aborted"
    assert "Release 2 needs the approval of a person with a key other than ann" in str(ended.error)
    assert handler.vsn == "1"


async def test_two_approvals_by_one_person_count_once(small: SmallNode) -> None:
    approvals = boot(small, 3)
    assert approvals.approve(m.Approve(target="2"), "bob").missing == 1
    assert approvals.approve(m.Approve(target="2"), "bob").missing == 1
    refused(approvals, "ana")
    assert approvals.approve(m.Approve(target="2"), "zoe") == m.Approval(
        vsn="2", approved_by=("bob", "zoe"), first="ana"
    )
    approvals.check(INSTALL, "ana")


async def test_the_way_back_to_the_permanent_release_needs_no_approval(small: SmallNode) -> None:
    approvals = boot(small)
    approvals.approve(m.Approve(target="2"), "bob")
    await small.install("2")
    approvals.check(m.Install(vsn="1"), "ana")
    assert (await small.roll_back()).outcome == "reverted"


async def test_without_the_rule_nothing_is_to_be_approved(small: SmallNode) -> None:
    approvals = boot(small, 1)
    approvals.check(INSTALL, "ana")
    with pytest.raises(Refused, match="need no approval"):
        approvals.approve(m.Approve(target="2"), "bob")


async def test_an_unknown_target_and_unreadable_settings_are_refused(small: SmallNode) -> None:
    approvals = boot(small)
    with pytest.raises(Refused, match="no release 7 on this node, and no valid plan"):
        approvals.approve(m.Approve(target="7"), "bob")
    (small.root / "etc/node.toml").write_text("approvals = 0\n")
    with pytest.raises(Refused, match="approvals must be"):
        approvals.check(INSTALL, "ana")


def a_plan_to(vsn: str, *, nothing_to_do: bool = False) -> m.Plan:
    return m.Plan(
        id="p", direction="up", from_vsn="1", to_vsn=vsn, generation=1, modules=(), processes=(), instructions=(),
        point_of_no_return=0, configuration=(), blockers=(), warnings=(), way_back=True,
        nothing_to_do=nothing_to_do,
    )  # fmt: skip


async def test_a_plan_says_who_has_approved_it_and_who_still_must(small: SmallNode) -> None:
    approvals = boot(small, approvals=3)
    plan = a_plan_to("2")
    assert approvals.of_plan(plan, "zoe") == m.Approval(vsn="2", plan_id="p", missing=2, first="ana")
    approvals.approve(m.Approve(target="2"), "bob")
    assert approvals.of_plan(plan, "zoe") == m.Approval(
        vsn="2", plan_id="p", approved_by=("bob",), missing=1, first="ana"
    )
    assert approvals.of_plan(a_plan_to("1"), "zoe") is None
    assert approvals.of_plan(a_plan_to("2", nothing_to_do=True), "zoe") is None


async def test_the_plan_of_a_release_that_nobody_is_known_to_have_staged_counts_without_its_caller(
    small: SmallNode,
) -> None:
    approvals = boot(small, staged_by=None)
    approvals.approve(m.Approve(target="2"), "bob")
    assert approvals.of_plan(a_plan_to("2"), "zoe") == m.Approval(
        vsn="2", plan_id="p", approved_by=("bob",), first="zoe"
    )
    assert approvals.of_plan(a_plan_to("2"), "bob") == m.Approval(vsn="2", plan_id="p", missing=1, first="bob")


async def test_a_plan_of_a_node_that_requires_no_approvals_says_nothing(small: SmallNode) -> None:
    assert boot(small, approvals=1).of_plan(a_plan_to("2"), "bob") is None
