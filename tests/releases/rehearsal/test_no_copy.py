"""A node that can't or must not be copied: its installs need consent, and a revert at a deadline does not."""

from __future__ import annotations

import errno
import importlib
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from node_runtime import gen_server
from tests.support.projects.rehearsed_shop import changing, settings, start_counters
from tests.support.projects.small_shop import COUNTER, UPDATE_COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

CHANGING = changing("return dict(state)")
OFF = "`rehearsal` in node.toml is off"


def refuse_forks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse() -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fork", refuse)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
async def test_where_a_fork_is_refused_consent_decides(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    await start_counters(small, CHANGING, 5)
    refuse_forks(monkeypatch, number)
    await small.handler.plan("2")
    before = os.listdir("/proc/self/fd")
    plan = await small.handler.plan("2")
    why = f"the node can't be copied ({os.strerror(number)})"
    assert plan.blockers == ()
    assert plan.rehearsal is not None
    assert (plan.rehearsal.processes, plan.rehearsal.reached, plan.rehearsal.error) == (1, 0, why)
    assert plan.rehearsal.bodies is None
    refused = await small.install("2")
    assert refused.outcome == "aborted"
    sentence = f"the new code was not executed in a copy of the node: {why}; pass --unrehearsed to proceed anyway"
    assert refused.error == sentence
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= len(before), what="the end of the operation's files")
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"


async def test_a_revert_at_the_deadline_needs_no_copy(small: SmallNode, monkeypatch: pytest.MonkeyPatch) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": CHANGING}, UPDATE_COUNTER, probation="deadline = 0.2")
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    refuse_forks(monkeypatch, errno.EAGAIN)
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"
    await eventually(lambda: small.handler.vsn == "1", what="the revert")
    await eventually(lambda: small.handler.operation().ended is not None, what="the end of the revert")
    assert small.handler.operation().outcome == "reverted"


async def test_a_setting_turns_copies_off(small: SmallNode, monkeypatch: pytest.MonkeyPatch) -> None:
    await start_counters(small, CHANGING, 5)
    settings(small, 'rehearsal = "off"\n')
    refuse_forks(monkeypatch, errno.EAGAIN)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.rehearsal is not None
    assert plan.rehearsal.error == OFF
    refused = await small.install("2")
    assert refused.error is not None
    assert OFF in refused.error
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"
