"""A thief of a viewer's cookie calls what only an operator may call."""

from __future__ import annotations

import msgspec
import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.wire import unpack
from tests.support.attacks.attacked_node import MARK, AttackedNode
from tests.support.attacks.thief import Thief, encoded_request, is_not_allowed, plausible_params, stolen

ORDERS = sorted(method.name for method in METHODS if method.role == "operator")
DISGUISES = ("Stop", "stop ", " stop", "stop\0", "\0stop", "STOP", "st\u00f6p", "stop()", "operator.stop", "../stop")


def params(node: AttackedNode) -> dict[str, msgspec.Struct]:
    """Parameters that would have an effect on this node."""
    snapshot = node.ask(methods.SNAPSHOT)
    pid = next(one.pid for one in snapshot.processes if one.name == "tiny_server")
    return plausible_params(snapshot.info.boot_id, pid)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_of_an_operator(attacked: AttackedNode, order: str) -> None:
    with stolen(attacked.address("viewer")) as thief:
        assert is_not_allowed(thief.request(order, params(attacked)[order]))


def test_a_plan_that_executes_staged_code(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        assert is_not_allowed(thief.request("plan", m.MakePlan(vsn="2.0")))
    assert not (attacked.directory / MARK).exists()


def test_a_whole_upload(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        begin = m.StageBegin(file_name="../../../bin/tiny", size=4, sha256="0" * 64)
        assert is_not_allowed(thief.request("stage_begin", begin))
        for upload in ("", "0" * 16, "../..", "upload-x", "*"):
            assert is_not_allowed(thief.request("stage_chunk", m.StageChunk(upload=upload, offset=0, data=b"evil")))
            assert is_not_allowed(thief.request("stage_end", m.StageEnd(upload=upload)))


@pytest.mark.parametrize("name", DISGUISES)
def test_an_order_under_another_spelling(attacked: AttackedNode, name: str) -> None:
    with stolen(attacked.address("viewer")) as thief:
        assert is_not_allowed(thief.request(name, m.StopNode()))


@pytest.mark.parametrize("name", ["__init__", "_handler", "_stop", "entries", "eval", "os.system", "", "a" * 100_000])
def test_a_method_that_is_none(attacked: AttackedNode, name: str) -> None:
    with stolen(attacked.address("viewer")) as thief:
        assert is_not_allowed(thief.request(name))


def test_telling_forbidden_methods_from_unknown_ones(attacked: AttackedNode) -> None:
    """The answers are the same for both, so that a viewer's cookie does not even tell which methods there are."""
    answers = set()
    with stolen(attacked.address("viewer")) as thief:
        for name in (*ORDERS, "no_such_method", "another_one"):
            reply = thief.request(name, params(attacked).get(name, m.Empty()))
            assert reply is not None
            assert reply.failure is not None
            answers.add((reply.failure.code, reply.failure.sentence.replace(repr(name), "X"), reply.result))
    assert len(answers) == 1


def test_telling_them_apart_by_wrong_parameters(attacked: AttackedNode) -> None:
    """The role is checked before the parameters are decoded."""
    answers = set()
    with stolen(attacked.address("viewer")) as thief:
        for name in (*ORDERS, "no_such_method"):
            for wrong in (b"", b"\xc1", b"\x81\xa1x\x01", b"\x93\x01\x02\x03"):
                reply = thief.request(name, wrong)
                assert is_not_allowed(reply)
                assert reply is not None
                assert reply.failure is not None
                answers.add(reply.failure.sentence.replace(repr(name), "X"))
    assert len(answers) == 1


def test_an_order_before_hello_and_after_it(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        assert is_not_allowed(thief.request("stop", m.StopNode()))
        thief.request("hello", m.Hello(protocol=methods.PROTOCOL, client="hotdash", user="operator"))
        assert is_not_allowed(thief.request("stop", m.StopNode()))


def test_an_order_inside_a_permitted_request(attacked: AttackedNode) -> None:
    """A request in the parameters of another one is data, and not a request."""
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request("ping", encoded_request("stop"))
        assert reply is not None
        assert reply.result is None


@pytest.mark.parametrize("method", ["operation", "state", "process"])
def test_reading_what_is_not_there(attacked: AttackedNode, method: str) -> None:
    wrong: dict[str, list[msgspec.Struct]] = {
        "operation": [m.GetOperation(operation=text) for text in ("", "../../etc/keys/server", "*", "0" * 100_000)],
        "state": [m.GetState(pid=pid) for pid in (-1, 0, 2**62, -(2**62))],
        "process": [m.InspectProcess(pid=pid) for pid in (-1, 0, 2**62, -(2**62))],
    }
    with stolen(attacked.address("viewer")) as thief:
        for one in wrong[method]:
            reply = thief.request(method, one)
            assert reply is not None
            assert reply.failure is not None
            assert len(reply.failure.sentence) < 1000


@pytest.mark.parametrize("method", ["operations", "events", "audit"])
@pytest.mark.parametrize("limit", [-1, 0, 2**31, 2**63 - 1, -(2**63)])
def test_a_limit_out_of_all_bounds(attacked: AttackedNode, method: str, limit: int) -> None:
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request(method, m.ListLimit(limit=limit))
        assert reply is not None
        assert (reply.result is None) != (reply.failure is None)


def test_what_a_viewer_may_do_still_works(attacked: AttackedNode) -> None:
    """The page grants this to a viewer, and nothing else."""
    with stolen(attacked.address("viewer")) as thief:
        assert granted(thief, attacked) == {method.name for method in METHODS if method.role == "viewer"} - {"hello"}


def granted(thief: Thief, node: AttackedNode) -> set[str]:
    """The methods that are answered, but for the first one of each client."""
    found = set()
    for name, one in params(node).items():
        reply = thief.request(name, one)
        if name != "hello" and reply is not None and not is_not_allowed(reply):
            assert reply.result is not None or reply.failure is not None
            found.add(name)
    assert unpack(thief.request("ping").result or b"", m.Empty) == m.Empty()  # type: ignore[union-attr]
    return found
