"""The configuration difference in a plan: secrets stay hidden, and any live parameter may be in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

ENV = """
port = {n}
url = "postgres://ann:pw{n}@db/shop"
[env.store]
password = "pw{n}"
size = 3
[[env.hosts]]
name = "h{n}"
api_key = "pw{n}"
"""


def start(small: SmallNode, env: str = "", env_2: str = "") -> None:
    small.write("1", {"shop.counter": COUNTER}, env=env)
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, env=env_2)
    small.boot()


async def test_secrets_are_masked_however_deep_they_are(small: SmallNode) -> None:
    start(small, ENV.format(n=1), ENV.format(n=2))
    plan = await small.handler.plan("2")
    assert plan.configuration == (
        (
            "shop.hosts",
            '[{"api_key": "‹redacted›", "name": "h1"}]',
            '[{"api_key": "‹redacted›", "name": "h2"}]',
        ),
        ("shop.port", "1", "2"),
        ("shop.store.password", "‹redacted›", "‹redacted, changed›"),
        ("shop.url", '"postgres://ann:‹redacted›@db/shop"', '"postgres://ann:‹redacted, changed›@db/shop"'),
    )


class Unspeakable:
    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was compared by its own code")

    def __repr__(self) -> str:
        raise AssertionError("it was written by its own code")

    __hash__ = None  # type: ignore[assignment]  # nothing may ask for it either


def ring() -> dict[str, Any]:
    made: dict[str, Any] = {"list": []}
    made["list"].append(made)
    return made


@pytest.mark.parametrize("value", [{1: 2, "b": 3}, {(1, 2): 3}, {1, 2}, ring(), Unspeakable(), float("nan")])
async def test_any_parameter_set_at_run_time_can_be_planned_and_installed(small: SmallNode, value: object) -> None:
    start(small)
    before = await small.handler.plan("2")
    application.set_env("shop", "odd", value)
    plan = await small.handler.plan("2")
    assert plan.id != before.id
    assert {name.split(".")[1] for name, _, _ in plan.configuration} == {"odd"}
    assert (await small.handler.plan("2")).id == plan.id
    assert (await small.install("2", plan_id=plan.id)).outcome == "installed"


async def test_a_configuration_that_can_not_be_read_is_named_as_what_is_to_be_corrected(small: SmallNode) -> None:
    start(small)
    (small.root / "etc").mkdir()
    (small.root / "etc" / "sys.toml").write_text("[shop\n")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason.startswith(f"{small.root}/etc/sys.toml, line 1: this is not valid TOML")
    assert blocker.remedy == "correct the error and plan again"
