"""The table of methods: each method has a role, a budget and a description, and the node enforces the roles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import METHODS, Method
from tests.support.waiting import answered

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

ROLES: tuple[m.Role, ...] = get_args(m.Role)
ALL: tuple[Method[Any, Any], ...] = METHODS
INVENTED = ("does_not_exist", "", "PLAN", "plan ", "plan\0", "__init__", "\u202enalp", "\U0001f600", "x" * 10_000)


class Wrong(m.WireStruct, frozen=True):
    """Parameters that no method has, so that a permitted request is refused before it does something."""

    no_such_field: int = 1
    nor_this: str = "x"


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_every_method_has_a_role_a_budget_and_a_description(method: Method[Any, Any]) -> None:
    assert method.role in ROLES
    assert method.cost > 0
    assert method.doc.endswith(".")
    assert "\n" not in method.doc


def test_no_two_methods_have_the_same_name() -> None:
    assert len({method.name for method in ALL}) == len(ALL)


async def refusal(client: Client, method: Method[Any, Any]) -> Refused:
    """The refusal of a request; one that was refused because there were too many is repeated."""

    async def refused() -> Refused | None:
        with pytest.raises(Refused) as caught:
            await client.request(replace(method, params=Wrong), Wrong(no_such_field=2, nor_this="y"))
        return None if caught.value.sentence.startswith("Too many requests") else caught.value

    return await answered(refused, "a place in the budget")


def answer(refused: Refused, method: str) -> tuple[ExitCode, str, str | None]:
    shown = method[:40].encode("unicode_escape").decode() if not method.isprintable() else method[:40]
    return refused.code, refused.sentence.replace(repr(shown), "METHOD"), refused.operation


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_the_methods_of_its_own_and_lower_roles_only(shop: Node, role: m.Role) -> None:
    reached = set()
    async with shop.client(role) as client:
        for method in ALL:
            refused = await refusal(client, method)
            if "can't decode the parameters" in refused.sentence:
                assert refused.code == ExitCode.REFUSED
                reached.add(method.name)
            else:
                assert refused.code == ExitCode.NOT_ALLOWED
    assert reached == {method.name for method in ALL if method.role in ROLES[: ROLES.index(role) + 1]}


@pytest.mark.parametrize("role", ROLES)
async def test_forbidden_and_unknown_methods_get_the_same_answer(shop: Node, role: m.Role) -> None:
    forbidden = [method for method in ALL if ROLES.index(method.role) > ROLES.index(role)]
    unknown: list[Method[Any, Any]] = [Method(name, m.Empty, m.Empty, "viewer") for name in INVENTED]
    async with shop.client(role) as client:
        answers = {answer(await refusal(client, method), method.name) for method in (*forbidden, *unknown)}
    assert len(answers) == 1
    assert next(iter(answers))[0] == ExitCode.NOT_ALLOWED
