"""A deployment without a question loses only the data that its command line names."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hotdash.cli import main
from hotdash.cli.deploy.lost_data import check_consent
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.dashboard.fil_world import a_plan

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


def test_a_name_that_the_plan_does_not_have_is_refused_unless_there_is_nothing_to_do() -> None:
    kept = variable("KEPT", "carried")
    with pytest.raises(Refused, match=r"has no data with the name shop\.hub\.CLEINTS\. Correct this name after --lose"):
        check_consent(plan_with(variable("CLIENTS", "lost"), kept), NODE, {"shop.hub.CLEINTS", "shop.hub.KEPT"})
    check_consent(msgspec.structs.replace(plan_with(kept), nothing_to_do=True), NODE, {"shop.hub.CLEINTS"})


def test_names_without_an_answer_in_advance_are_a_usage_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["deploy", NODE, str(tmp_path), "--lose", "shop.hub.CLIENTS"])
    assert ended.value.code == ExitCode.USAGE
    assert "--lose needs --yes, because it is only for a deployment that asks nothing" in capsys.readouterr().err


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
