"""A test of an upgrade: a state goes up and back, and each way in which it can be lost is an error with a reason."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from node_runtime.cli import main
from node_runtime.testing import UpgradeFailed, states, take_through
from tests.testing.example_states import Basket, Item

QUIET = {"ice_cream": {"period": 3600.0}}
SERVER = "apps/ice_cream/src/ice_cream/server.py"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A new project."""
    folder = tmp_path / "ice_cream"
    main(["new", str(folder)])
    return folder


def changed(old: Path, *changes: tuple[str, str], files: tuple[str, ...] = (SERVER,)) -> Path:
    """A copy of the project with other text in some files."""
    folder = old.with_name("changed")
    shutil.copytree(old, folder)
    for file in files:
        text = (folder / file).read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (folder / file).write_text(text)
    return folder


async def test_a_new_field_gets_its_default_and_is_gone_after_the_way_back(old: Path) -> None:
    new = changed(old, ("count: int = 0\n", "count: int = 0\n    step: int = 3\n"))
    journey = await take_through(old, new, state={"count": 7}, env=QUIET)
    assert (journey.before, journey.up, journey.down) == ({"count": 7}, {"count": 7, "step": 3}, {"count": 7})
    assert "ice_cream.server" not in sys.modules


async def test_a_field_that_the_new_version_lacks_is_reported_unless_the_test_says_so(old: Path) -> None:
    new = changed(old, ("count: int", "total: int"), ("state.count", "state.total"))
    with pytest.raises(UpgradeFailed, match=r"has no ice_cream\.server:State\.count, so this field is lost"):
        await take_through(old, new, state={"count": 7}, env=QUIET)
    journey = await take_through(old, new, state={"count": 7}, env=QUIET, up={"total": 0}, down={"count": 0})
    assert journey.up == {"total": 0}


async def test_a_code_change_of_the_authors_own_is_compared_with_what_the_test_expects(old: Path) -> None:
    method = (
        "    @classmethod\n    def code_change(cls, old_vsn: object, state: State, extra: object) -> State:\n"
        "        return State(count=state.count + 1)\n\n    def get_count"
    )
    new = changed(old, ("    def get_count", method))
    with pytest.raises(UpgradeFailed, match=r"(?s)after the upgrade is.*'count': 8.*but should be.*'count': 7"):
        await take_through(old, new, state={"count": 7}, env=QUIET)
    journey = await take_through(old, new, state={"count": 7}, env=QUIET, up={"count": 8}, down={"count": 9})
    assert journey.down == {"count": 9}


async def test_a_code_change_that_fails_is_named_with_its_line_and_pytest_shows_the_line_of_the_test(old: Path) -> None:
    method = (
        "    @classmethod\n    def code_change(cls, old_vsn: object, state: State, extra: object) -> State:\n"
        "        raise ValueError('no scoops')\n\n    def get_count"
    )
    new = changed(old, ("    def get_count", method))
    line = (new / SERVER).read_text().partition("raise ValueError")[0].count("\n") + 1
    with pytest.raises(UpgradeFailed, match="no scoops") as failed:
        await take_through(old, new, state={"count": 7}, env=QUIET)
    assert f"({new / SERVER}:{line})" in str(failed.value)
    shown = [entry.path for entry in failed.traceback.filter(failed)]
    assert shown == [Path(__file__)]


async def test_a_state_that_the_old_release_can_not_have_is_an_error(old: Path) -> None:
    with pytest.raises(ValueError, match="State of the old release has no field scoops"):
        await take_through(old, old, state={"scoops": 7}, env=QUIET)
    with pytest.raises(UpgradeFailed, match="must have one process with a Basket, but there is none"):
        await take_through(old, old, state=Basket([], {}, None), env=QUIET)


async def test_the_authors_own_appup_is_used(old: Path) -> None:
    files = ("release.toml", "apps/ice_cream/app.toml")
    new = changed(old, ('vsn = "0.1.0"', 'vsn = "0.2.0"'), files=files)
    appup = 'vsn = "0.2.0"\n[[up]]\nfrom = "0.1.0"\ninstructions = [ { apply = "ice_cream.server:nowhere" } ]\n'
    (new / "apps/ice_cream/appup.toml").write_text(appup)
    with pytest.raises(UpgradeFailed, match="nowhere"):
        await take_through(old, new, state={"count": 7}, env=QUIET)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(states(Basket))
def test_random_states_have_values_in_all_fields(basket: Basket) -> None:
    assert isinstance(basket.names, dict)
    assert all(isinstance(item, Item) and item.price == item.price for item in basket.items)  # nan
    assert basket.first is None or isinstance(basket.first, Item)


NESTED = (
    (
        "@dataclass(slots=True)\nclass State",
        "@dataclass\nclass Job:\n    name: str\n\n\n@dataclass(slots=True)\nclass State",
    ),
    (
        "count: int = 0\n",
        "count: int = 0\n    jobs: dict[str, Job] = field(default_factory=dict)\n    last: Job | None = None\n"
        "    seen: list[tuple[int, Job]] = field(default_factory=list)\n    handle: object = None\n",
    ),
    ("import dataclass", "import dataclass, field"),
)
OWNER = ("    name: str\n", '    name: str\n    owner: str = "nobody"\n')


def with_jobs(old: Path) -> Path:
    """Give the state of the project's server nested objects."""
    server = old / SERVER
    text = server.read_text()
    for before, after in NESTED:
        assert before in text
        text = text.replace(before, after)
    server.write_text(text)
    return old


async def test_a_new_field_of_a_nested_object_gets_its_default(old: Path) -> None:
    new = changed(with_jobs(old), OWNER)
    state = {"jobs": {"a": {"name": "ann"}}, "last": {"name": "bob"}, "seen": [(1, {"name": "cy"})]}
    journey = await take_through(old, new, state=state, env=QUIET)
    assert journey.down == {"count": 0, "handle": None, **state}
    assert journey.up["jobs"] == {"a": {"name": "ann", "owner": "nobody"}}
    assert journey.up["seen"] == [(1, {"name": "cy", "owner": "nobody"})]


async def test_a_nested_object_that_loses_or_changes_a_value_is_an_error(old: Path) -> None:
    method = (
        "    @classmethod\n    def code_change(cls, old_vsn: object, state: State, extra: object) -> State:\n"
        "        return State(jobs=CHANGED)\n\n    def get_count"
    )
    given = {"jobs": {"a": {"name": "ann"}, "b": {"name": "bob"}}}
    with_jobs(old)
    for jobs in ('{"a": Job("ann")}', '{"a": Job("ann"), "b": Job("bill")}'):
        new = changed(old, OWNER, ("    def get_count", method.replace("CHANGED", jobs)))
        with pytest.raises(UpgradeFailed, match="after the upgrade is"):
            await take_through(old, new, state=given, env=QUIET)
        shutil.rmtree(new)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"jobs": {"a": {"nme": "ann"}}}, r"Job of the old release has no field nme, which jobs\['a'\] has"),
        ({"jobs": {"a": {}}}, r"Job of the old release has a field name, which jobs\['a'\] lacks"),
        ({"count": {"n": 1}}, "count is a dict, but the old release declares it as int"),
    ],
)
async def test_a_mapping_that_does_not_fit_its_annotation_is_an_error(old: Path, state: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        await take_through(with_jobs(old), old, state=state, env=QUIET)


async def test_a_value_that_can_not_be_copied_is_named(old: Path) -> None:
    with_jobs(old)
    connection = sqlite3.connect(":memory:")
    with pytest.raises(ValueError, match=r"handle\[0\] is a sqlite3\.Connection, which can't be copied") as failed:
        await take_through(old, old, state={"handle": [connection]}, env=QUIET)
    assert "as a mapping without this field" in str(failed.value)
