"""The keys of a state that `init` certainly sets: a plan names no key with which a state need not begin."""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime.releases.rehearsal.states import initial_keys


class Certain:
    def init(self) -> Any:
        state: dict[str, int]
        state = {"a": 1}
        state["b"] = 2
        with open("seen") as file:
            state["c"] = len(file.read())
            return state


class BelowBranches:
    def init(self, extra: bool, items: list[str]) -> Any:
        state = {"a": 1}
        if extra:
            state["b"] = 1
        for _ in items:
            state["c"] = 1
        while extra:
            state["d"] = 1
        try:
            state["e"] = int(items[0])
        except ValueError:
            state["f"] = 1
        return state


class BoundInBranches:
    def init(self, extra: bool) -> Any:
        if extra:
            state = {"a": 1, "b": 2}
        else:
            state = {"a": 2}
            print(state)
        return state


class BoundAgain:
    def init(self) -> Any:
        state = {"a": 1}
        state["b"] = 2
        state = {"a": 2}
        state["c"] = 3
        return state


class ReturnedBefore:
    def init(self, extra: bool) -> Any:
        state = {"a": 1}
        if extra:
            return state
        state["b"] = 2
        return state


class Nested:
    def init(self) -> Any:
        def other() -> Any:
            return {"x": 1}

        class Other:
            def made(self) -> Any:
                return {"y": 1}

        return {"a": 1, "other": other, "made": Other}


class Deleting:
    def init(self, extra: bool) -> Any:
        state = {"a": 1, "b": 2}
        if extra:
            del state["b"]
        return state


class Popping:
    def init(self) -> Any:
        state = {"a": 1, "b": 2}
        state.pop("b")
        return state


class BoundByALoop:
    def init(self, found: list[dict[str, int]]) -> Any:
        state = {"a": 1}
        for state in found:
            print(state)
        return state


@pytest.mark.parametrize(
    ("cls", "keys"),
    [
        (Certain, {"a", "b", "c"}),
        (BelowBranches, {"a"}),
        (BoundInBranches, {"a"}),
        (BoundAgain, {"a", "c"}),
        (ReturnedBefore, {"a"}),
        (Nested, {"a", "other", "made"}),
        (Deleting, None),
        (Popping, None),
        (BoundByALoop, None),
    ],
)
def test_only_a_key_that_every_returned_dict_has_counts(cls: type[Any], keys: set[str] | None) -> None:
    assert initial_keys.initial_keys(cls) == keys
