"""A callback class can't define a name through which the runtime sets and reads the state of its processes."""

from __future__ import annotations

from typing import Any

import pytest

from node_runtime import GenServer, GenStatem, Supervisor
from node_runtime.behaviours.behaviour import BehaviourType


class Mixin:
    __slots__ = ()
    state = None


def method(self: object, *args: object) -> None:
    """A method, a state or a hook."""


@pytest.mark.parametrize(
    ("base", "name", "value"),
    [
        (GenServer, "state", None),
        (GenServer, "state", property(method)),
        (GenServer, "state", method),
        (Supervisor, "state", method),
        (GenStatem, "data", method),
        (GenServer, "__setattr__", method),
        (GenStatem, "__getattribute__", method),
    ],
)
def test_a_reserved_name_is_refused_where_the_class_is_made_and_where_it_is_changed(
    base: BehaviourType, name: str, value: object
) -> None:
    pattern = rf"^Till defines {name}, .*; (choose another name|remove it)$"
    with pytest.raises(TypeError, match=pattern):
        BehaviourType("Till", (base,), {name: value})
    made: Any = BehaviourType("Till", (base,), {})
    with pytest.raises(TypeError, match=pattern):
        setattr(made, name, value)
    assert name not in vars(made)


def test_a_base_that_shadows_the_state_is_named_and_one_behind_the_behaviour_is_not_refused() -> None:
    with pytest.raises(TypeError, match=r"^Mixin, a base of Till, defines state, "):
        BehaviourType("Till", (Mixin, GenServer), {})
    assert BehaviourType("Shop", (GenServer, Mixin), {}).__public__ == {}


def test_the_attribute_of_the_other_behaviour_is_free() -> None:
    class Lamp(GenStatem[None]):
        def state(self) -> None:
            """Nothing."""

    class Till(GenServer[int]):
        state: int

        def data(self) -> None:
            """Nothing."""

    assert list(Lamp.__public__) == ["state"]
    assert list(Till.__public__) == ["data"]
