"""The table of methods and the bytes of its structs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.wire import MalformedMessage, pack, unpack
from tests.support.hypothesis_profiles import UNHURRIED


def test_every_method_has_its_own_name_and_a_role() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    assert {method.role for method in METHODS} == {"viewer", "operator"}


def test_what_changes_a_node_needs_an_operator() -> None:
    viewers = {method.name for method in METHODS if method.role == "viewer"}
    assert viewers == {
        "hello", "ping", "snapshot", "state", "releases", "operation", "operations", "events", "audit",
        "subscribe", "unsubscribe", "old_code", "stray_tasks", "processes", "process", "tree", "summary",
    }  # fmt: skip


@pytest.mark.parametrize(
    "struct", sorted({one for method in METHODS for one in (method.params, method.result)}, key=str)
)
def test_unknown_fields_are_refused_in_every_struct(struct: type[m.WireStruct]) -> None:
    with pytest.raises(MalformedMessage):
        unpack(msgspec.msgpack.encode({"surely_not_a_field": 1}), struct)


def test_a_struct_is_read_as_it_was_written() -> None:
    term = m.Term(type="list", items=(("0", m.Term(type="int", text="1")),), cut=3)
    assert unpack(pack(term), m.Term) == term


@UNHURRIED
@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_malformed(data: bytes) -> None:
    for struct in (m.Request, m.Reply, m.NodeEvent, m.Term, m.Install):
        try:
            assert isinstance(unpack(data, struct), struct)
        except MalformedMessage:
            continue
