"""supervisor_SUITE: invalid flags and child specifications."""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime import ChildSpec, Exit, Runtime
from tests.support.subclasses import subclass
from tests.support.supervised import Sup, child, clean, log, start_sup

__all__ = ["clean"]


@pytest.mark.parametrize(
    ("specs", "sentence"),
    [
        (["no spec"], "'no spec' is not a child specification"),
        ([child("a"), child("a")], "two children have the id 'a'"),
        ([child("a", restart="transient", significant=True)], "significant, but auto_shutdown is 'never'"),
    ],
)
async def test_sup_start_map_faulty_specs(runtime: Runtime, specs: list[Any], sentence: str) -> None:
    """supervisor_SUITE:sup_start_map_faulty_specs, sup_start_faulty_specs. Nothing was started yet."""
    with pytest.raises(Exit, match=f"Sup: .*{sentence}"):
        await start_sup(Sup, *specs)
    assert (log, dict(runtime.processes)) == ([], {})


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"id": ""}, "a child's id is ''"),
        ({"id": 7}, "a child's id is 7"),
        ({"start": 7}, "start is 7; write it as"),
        ({"start": "nowhere"}, "start is 'nowhere'; write it as"),
        ({"args": "ab"}, "args are 'ab'; use a tuple"),
        ({"restart": "maybe"}, "restart is 'maybe'"),
        ({"shutdown": "soon"}, "shutdown is 'soon'"),
        ({"shutdown": -1}, "seconds can't be negative"),
        ({"shutdown": ()}, r"shutdown is \(\)"),
        ({"type": "thing"}, "type is 'thing'"),
        ({"modules": (7,)}, r"modules are \(7,\)"),
        ({"significant": True}, "a permanent child is always restarted"),
    ],
)
def test_faulty_specs_are_refused_where_they_are_written(wrong: dict[str, Any], sentence: str) -> None:
    """supervisor_SUITE:sup_start_map_faulty_specs. Unlike OTP's maps, an unknown key is an error, too."""
    with pytest.raises(ValueError, match=sentence):
        ChildSpec(**{"id": "a", "start": "tests.support.supervised:start", **wrong})
    with pytest.raises(TypeError):
        ChildSpec("a", "tests.support.supervised:start", unknown=1)  # type: ignore[call-arg]  # that is what is tested


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"strategy": "some"}, "strategy is 'some'"),
        ({"intensity": -1}, "intensity is -1"),
        ({"intensity": 1.5}, "intensity is 1.5"),
        ({"period": 0}, "period is 0"),
        ({"period": "5"}, "period is '5'"),
        ({"auto_shutdown": "maybe"}, "auto_shutdown is 'maybe'"),
        ({"auto_shutdown": "any_significant", "strategy": "simple_one_for_one"}, "must be 'never'"),
        ({"back_off": 1.0}, "back_off is 1.0"),
        ({"strategy": "simple_one_for_one"}, "one child specification, not 2"),
    ],
)
async def test_sup_start_map_faulty_flags(runtime: Runtime, flags: dict[str, Any], sentence: str) -> None:
    """supervisor_SUITE:sup_start_map_faulty_flags."""
    cls = subclass("Faulty", Sup, **flags, __module__=__name__)
    with pytest.raises(Exit, match=f"Faulty: .*{sentence}"):
        await start_sup(cls, child("a"), child("b"))
    assert not runtime.processes
