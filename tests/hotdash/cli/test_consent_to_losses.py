"""A downgrade or a deployment without a question loses only the data that its command line names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotdash.action_commands import CommandSubject, install_command
from hotdash.cli import main
from hotdash.cli.confirmation import check_consent
from hotdash.model.releases.data_losses import known_names, lose_words
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.dashboard.fil_world import a_plan
from tests.support.nodes.tiny_node import TinyNode, install, stopped_afterwards, tarball_of
from tests.support.projects.tiny_project import appup_both_ways, write_project

NODE = "shop@127.0.0.1"


def variable(name: str, fate: m.ModuleValueFate) -> m.PlannedModuleValue:
    return m.PlannedModuleValue(module="shop.hub", name=name, kind="dict", fate=fate, entries=1)


def plan_with(*values: m.PlannedModuleValue, more: int = 0) -> m.Plan:
    lost = [f"shop.hub.{value.name} is lost." for value in values if value.fate == "lost"]
    counted = [f"The data of {more} more global variables is lost."] if more else []
    return a_plan("2", module_values=values, lost=(*lost, *counted))


def test_lost_data_that_is_not_named_is_refused_with_the_options_that_name_it() -> None:
    plan = plan_with(variable("CLIENTS", "lost"), variable("SEEN", "lost"), variable("KEPT", "carried"))
    with pytest.raises(Refused) as refused:
        check_consent(plan, NODE, {"shop.hub.SEEN"})
    assert refused.value.sentence == (
        "The upgrade would lose data: shop.hub.CLIENTS. "
        "Keep the data in the way that the plan describes, or pass --lose shop.hub.CLIENTS."
    )
    check_consent(plan, NODE, {"shop.hub.SEEN", "shop.hub.CLIENTS"})


def test_a_name_that_the_plan_does_not_have_is_refused_unless_another_step_may_have_it() -> None:
    kept = variable("KEPT", "carried")
    plan = plan_with(variable("CLIENTS", "lost"), kept)
    with pytest.raises(Refused, match=r"has no data with the name shop\.hub\.CLEINTS\. Correct this name after --lose"):
        check_consent(plan, NODE, {"shop.hub.CLEINTS", "shop.hub.KEPT"})
    check_consent(plan, NODE, {"shop.hub.CLIENTS", "shop.hub.KEPT"})
    check_consent(plan, NODE, {"shop.hub.CLIENTS", "shop.other.SEEN"}, one_of_several=True)
    assert known_names(plan) == {"shop.hub.CLIENTS", "shop.hub.KEPT"}


@pytest.mark.parametrize("line", [("deploy", NODE, "."), ("downgrade", NODE, "1"), ("upgrade", NODE, "2")])
def test_names_without_an_answer_in_advance_are_a_usage_error(
    line: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*line, "--lose", "shop.hub.CLIENTS"])
    assert ended.value.code == ExitCode.USAGE
    assert "--lose needs --yes, because it answers a question in advance" in capsys.readouterr().err


def test_a_field_of_a_state_is_named_only_if_it_holds_data_and_the_upgrade_drops_it() -> None:
    def field(name: str, with_data: int, *, back: bool = False) -> m.LostData:
        name = f"shop.cart:State.{name}"
        return m.LostData(name, "cart", "", processes=1, objects=1, with_data=with_data, back=back)

    lost = (field("note", 1), field("empty", 0), field("later", 1, back=True))
    rehearsal = m.Rehearsal(at=0.0, seconds=0.1, stopped=0.0, pause=0.0, processes=1, reached=1, lost=lost)
    plan = a_plan("2", rehearsal=rehearsal, lost=("shop.cart:State.note is lost.",))
    with pytest.raises(Refused, match=r"would lose data: shop\.cart:State\.note\. Keep"):
        check_consent(plan, NODE, ())
    check_consent(plan, NODE, {"shop.cart:State.note"})


def test_losses_that_the_plan_only_counts_need_an_operator() -> None:
    plan = plan_with(variable("CLIENTS", "lost"), more=2)
    with pytest.raises(
        Refused, match=r"2 more global variables is lost\. Keep .* run 'hotdash upgrade shop@127.0.0.1 2'"
    ):
        check_consent(plan, NODE, {"shop.hub.CLIENTS"})


def test_the_command_line_that_the_dashboard_shows_names_the_data_that_is_lost() -> None:
    plan = plan_with(variable("CLIENTS", "lost"), variable("up.<closure>.count", "lost"), variable("KEPT", "carried"))
    assert lose_words(plan) == ["--lose", "shop.hub.CLIENTS", "--lose", "shop.hub.up.<closure>.count"]
    subject = CommandSubject(NODE, vsn="1", lose=tuple(lose_words(plan)))
    assert install_command("downgrade")(subject) == (
        f"hotdash downgrade {NODE} 1 --yes --lose shop.hub.CLIENTS --lose 'shop.hub.up.<closure>.count'"
    )


SERVER = """
from dataclasses import dataclass
from node_runtime import GenServer, gen_server

SEEN = []

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

@dataclass
class State:
    count: int
    note: str = ""

class TinyServer(GenServer[State]):
    def init(self):
        SEEN.append("tea")
        return State(4, "no sugar")
"""
OLDER = SERVER.replace("SEEN = []", "").replace('        SEEN.append("tea")\n', "").replace('    note: str = ""\n', "")
BLOCKED = OLDER + "    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n        raise OSError('no')\n"
UPDATE = '{ update = "tiny.server", change = "advanced" }'
FILE, APPUP = "apps/tiny/src/tiny/server.py", "apps/tiny/appup.toml"


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[TinyNode]:
    """A node that runs 2.0, whose server holds data that 1.0 has no place for."""
    changes = {FILE: SERVER, APPUP: appup_both_ways(UPDATE)}
    with stopped_afterwards(install(tarball_of(tmp_path / "tarball", "2.0", changes), tmp_path / "tiny")) as node:
        node.set("node.toml", "[probation]\nhealthy = 0.1\n")
        node.tiny("start")
        yield node


@pytest.mark.slow  # a node and a build; the tests above are about the same consent
def test_a_downgrade_loses_only_named_data_and_a_blocker_is_told_first(newer: TinyNode, tmp_path: Path) -> None:
    newer.operate("stage", tarball_of(tmp_path / "older", "1.0", {FILE: OLDER}))
    refused = newer.operate("downgrade", "1.0", "--yes", code=1)
    names = "--lose tiny.server:State.note --lose tiny.server.SEEN"
    assert "would lose data: tiny.server:State.note, tiny.server.SEEN. Keep the data in the way" in refused.stderr
    assert f"or pass {names}." in refused.stderr
    unknown = newer.operate("downgrade", "1.0", "--yes", *names.split(), "--lose", "tiny.SEEN", code=1)
    assert "The plan of the downgrade has no data with the name tiny.SEEN." in unknown.stderr
    assert json.loads(newer.operate("status", "-o", "json").stdout)["info"]["vsn"] == "2.0"

    newer.operate("downgrade", "1.0", "--yes", *names.split())
    newer.operate("rollback", "--yes", "-o", "json")
    assert json.loads(newer.operate("status", "-o", "json").stdout)["info"]["vsn"] == "2.0"

    appup = appup_both_ways(UPDATE, vsn="3.0", older="2.0")
    project = write_project(tmp_path / "blocked", "3.0", {FILE: BLOCKED, APPUP: appup})
    blocked = newer.operate("deploy", project, "--yes", code=1)
    assert "its code_change raised OSError: no" in blocked.stderr
    assert "would lose data" not in blocked.stderr
