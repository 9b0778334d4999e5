"""A thief of a viewer's cookie forges audit and log lines, and looks for secrets in what a viewer may read."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.wire import pack
from tests.support.attacks.attacked_node import HIDDEN, AttackedNode, json_lines
from tests.support.attacks.thief import encoded_request, stolen

FORGED = (
    '\n2026-01-01 00:00:00 ERROR forged: all is lost\n{"at":1.0,"who":"forged","role":"operator"}\n\x1b[2J\u202e\x85'
)
"""A text that would be a line of its own in a log or in the audit log, if it were written as it is."""


def is_plain(text: str) -> bool:
    """Returns whether a text can be shown without harm: neither control characters nor those that reorder others."""
    return not any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in text)


def test_lines_of_the_log(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        thief.request("hello", m.Hello(protocol=99, client=FORGED, user=FORGED))
        thief.request("hello", m.Hello(protocol=methods.PROTOCOL, client=FORGED, user=FORGED))
        thief.request(FORGED)
        thief.request("operation", m.GetOperation(operation=FORGED))
        thief.send(FORGED.encode())
        attacked.ask(methods.PING)
    lines = attacked.log().splitlines()
    assert [line for line in lines if line.startswith(("2026-01-01", '{"at":1.0'))] == []
    assert [line for line in lines if not is_plain(line)] == []


def test_lines_of_the_audit_log(attacked: AttackedNode) -> None:
    """An operator's reason can't forge a line either."""
    with stolen(attacked.address("viewer")) as thief:
        thief.request("hello", m.Hello(protocol=methods.PROTOCOL, client="x", user=FORGED))
        thief.request("remove", m.ReleaseVsn(vsn=FORGED))
    with stolen(attacked.address("operator")) as operator:
        operator.request("hello", m.Hello(protocol=methods.PROTOCOL, client="x", user=FORGED))
        operator.request("remove", m.ReleaseVsn(vsn=FORGED))
        operator.request("install", m.Install(vsn="7.7", reason=FORGED))
    entries = json_lines(attacked.audit_lines())
    assert [entry for entry in entries if entry.get("who") == "forged"] == []
    shown = attacked.ask(methods.AUDIT, m.ListLimit(limit=1000)).entries
    texts = [text for entry in shown for text in (entry.who, entry.subject, entry.reason, entry.outcome) if text]
    assert [text for text in texts if not is_plain(text)] == []


def test_a_reason_that_blinds_the_reader_of_the_audit_log(attacked: AttackedNode) -> None:
    with stolen(attacked.address("operator")) as operator:
        for number in range(3):
            operator.request("install", m.Install(vsn=f"8.{number}", reason="r" * 900_000))
        operator.request("install", m.Install(vsn="8.9", reason="short"))
    shown = attacked.ask(methods.AUDIT, m.ListLimit(limit=1000)).entries
    assert {(entry.subject, entry.reason) for entry in shown[-2:]} == {("8.9", "short")}
    assert all(len(entry.reason or "") < 10_000 for entry in shown)


def test_refusals_repeat_nothing_that_harms_a_terminal(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        replies = [
            thief.request(FORGED),
            thief.request("hello", m.Hello(protocol=99, client=FORGED, user=FORGED)),
            thief.request("operation", m.GetOperation(operation=FORGED)),
        ]
    for reply in replies:
        assert reply is not None
        assert reply.failure is not None
        assert is_plain(reply.failure.sentence)
        assert len(reply.failure.sentence) < 1000


@pytest.mark.parametrize(
    "method", ["snapshot", "state", "process", "events", "operations", "audit", "releases", "hello"]
)
def test_secrets_in_what_a_viewer_may_read(attacked: AttackedNode, method: str) -> None:
    snapshot = attacked.ask(methods.SNAPSHOT)
    pid = next(one.pid for one in snapshot.processes if one.name == "tiny_server")
    params = {
        "state": m.GetState(pid=pid),
        "process": m.InspectProcess(pid=pid),
        "events": m.ListLimit(limit=1000),
        "operations": m.ListLimit(limit=1000),
        "audit": m.ListLimit(limit=1000),
        "hello": m.Hello(protocol=methods.PROTOCOL, client="x", user="x"),
    }.get(method, m.Empty())
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request(method, params)
        assert reply is not None
        assert reply.result is not None
    assert [secret for secret in HIDDEN if secret.encode() in reply.result] == []
    keys = [path.read_text().strip() for path in (attacked.directory / "etc").rglob("*") if path.is_file()]
    parts = {part for key in keys for part in key.split(":") if len(part) > 40}
    assert [part for part in parts if part.encode() in reply.result] == []


def test_secrets_in_the_log(attacked: AttackedNode) -> None:
    """The log is for the owner, but lines of it are sent to viewers as events, and kept for long."""
    assert [secret for secret in HIDDEN if secret in attacked.log()] == []


def test_states_of_the_control_plane_itself(attacked: AttackedNode) -> None:
    """No process of the node has the keys in its state; a viewer may read all states."""
    secrets = [path.read_text().strip().split(":")[-1] for path in (attacked.directory / "etc/keys").glob("server")]
    assert secrets
    with stolen(attacked.address("viewer")) as thief:
        for one in attacked.ask(methods.SNAPSHOT).processes:
            reply = thief.request("state", m.GetState(pid=one.pid))
            assert reply is not None
            assert not any(secret.encode() in (reply.result or b"") for secret in secrets)


def test_an_upload_under_a_hostile_file_name(attacked: AttackedNode) -> None:
    """Even an operator's file names are only names: the file is in var/staging, whatever it is called."""
    names = ["../../../bin/tiny", "/tmp/evil", "..", "", "a" * 5000, "a\nb", "\x1b[2J", "x/../../y", "CON", ".hidden"]
    with stolen(attacked.address("operator")) as operator:
        for name in names:
            reply = operator.request("stage_begin", m.StageBegin(file_name=name, size=4, sha256="0" * 64))
            assert reply is not None
            if reply.result is None:
                continue
            upload = decoded(reply.result)["upload"]
            operator.request("stage_chunk", m.StageChunk(upload=upload, offset=0, data=b"evil"))
            end = operator.request("stage_end", m.StageEnd(upload=upload))
            assert end is not None
            assert end.failure is not None
            assert is_plain(end.failure.sentence)
    entries = attacked.ask(methods.AUDIT, m.ListLimit(limit=100)).entries
    assert all(is_plain(entry.subject) and len(entry.subject) < 2000 for entry in entries)


def test_guessing_the_id_of_an_operators_upload(attacked: AttackedNode) -> None:
    with stolen(attacked.address("operator")) as operator, stolen(attacked.address("viewer")) as thief:
        begun = operator.request("stage_begin", m.StageBegin(file_name="a.tar.gz", size=4, sha256="0" * 64))
        assert begun is not None
        assert begun.result is not None
        upload = decoded(begun.result)["upload"]
        assert len(upload) >= 16
        thief.send(encoded_request("stage_chunk", pack(m.StageChunk(upload=upload, offset=0, data=b"evil"))))
        thief.send(encoded_request("stage_end", pack(m.StageEnd(upload=upload))))
        assert thief.is_connected()
        operator.request("stage_chunk", m.StageChunk(upload=upload, offset=0, data=b"good"))
        end = operator.request("stage_end", m.StageEnd(upload=upload))
        assert end is not None
        assert end.failure is not None  # its hash is wrong on purpose, but it is still there


def decoded(data: bytes) -> dict[str, str]:
    """The fields of an upload's answer."""
    found: dict[str, str] = msgspec.msgpack.decode(data)
    return found
