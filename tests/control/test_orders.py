"""Operations on a node: uploads, installs, single processes, shutdown, and their records in the audit log."""

from __future__ import annotations

import hashlib
import json
import resource
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import whereis
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import list_records
from node_runtime.protocol.wire import UPLOAD_CHUNK_BYTES
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]
BOOT = "b00t"


def audit_lines(shop: Node) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shop.root / "var" / "audit.jsonl").read_text().splitlines()]


async def begin(client: Client, data: bytes, **changed: Any) -> str:
    asked = {"file_name": "x.tar.gz", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **changed}
    return (await client.request(methods.STAGE_BEGIN, m.StageBegin(**asked))).upload


async def refused(client: Client, method: Any, params: m.WireStruct) -> Refused:
    with pytest.raises(Refused) as caught:
        await client.request(method, params)
    return caught.value


# ------------------------------------------------------------------ uploads


async def test_a_corrupt_tarball_is_refused_in_one_sentence_and_leaves_nothing(shop: Node, tmp_path: Path) -> None:
    tarball = tmp_path / "bad.tar.gz"
    tarball.write_bytes(b"not a release" * 50_000)
    sent: list[tuple[int, int]] = []
    async with shop.client() as client:
        with pytest.raises(Refused) as caught:
            await client.stage(tarball, lambda done, size: sent.append((done, size)))
    assert caught.value.code == ExitCode.REFUSED
    size = tarball.stat().st_size
    assert sent == [(UPLOAD_CHUNK_BYTES, size), (2 * UPLOAD_CHUNK_BYTES, size), (size, size)]
    assert list((shop.root / "var" / "staging").iterdir()) == []
    intent, outcome = audit_lines(shop)
    assert (intent["method"], intent["subject"], intent["phase"]) == ("stage_end", "bad.tar.gz", "intent")
    assert outcome["outcome"].startswith("refused: ")


async def test_a_tarball_that_is_not_there_is_one_sentence(shop: Node, tmp_path: Path) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused, match="can't be read"):
            await client.stage(tmp_path / "none.tar.gz")


async def test_an_upload_that_is_too_large_is_refused_before_it_begins(shop: Node) -> None:
    async with shop.client() as client:
        for size in (0, -1, 1 << 31):
            with pytest.raises(Refused, match=r"This tarball has .* bytes; the node accepts 1 to"):
                await begin(client, b"", size=size)


async def test_more_bytes_than_announced_drop_the_upload(shop: Node) -> None:
    async with shop.client() as client:
        upload = await begin(client, b"abc")
        chunk = m.StageChunk(upload=upload, offset=0, data=b"abcd")
        assert "do not fit together" in (await refused(client, methods.STAGE_CHUNK, chunk)).sentence
        assert "no such upload" in (await refused(client, methods.STAGE_END, m.StageEnd(upload=upload))).sentence


async def test_a_piece_at_the_wrong_place_drops_the_upload(shop: Node) -> None:
    async with shop.client() as client:
        upload = await begin(client, b"abc")
        chunk = m.StageChunk(upload=upload, offset=1, data=b"b")
        assert "do not fit together" in (await refused(client, methods.STAGE_CHUNK, chunk)).sentence


async def test_another_connection_can_neither_continue_nor_end_an_upload(shop: Node) -> None:
    async with shop.client() as client, shop.client() as other:
        upload = await begin(client, b"abc")
        chunk, end = m.StageChunk(upload=upload, offset=0, data=b"abc"), m.StageEnd(upload=upload)
        assert "no such upload" in (await refused(other, methods.STAGE_CHUNK, chunk)).sentence
        await client.request(methods.STAGE_CHUNK, chunk)
        assert "no such upload" in (await refused(other, methods.STAGE_END, end)).sentence
        assert "no such upload" not in (await refused(client, methods.STAGE_END, end)).sentence


async def test_bytes_with_another_hash_are_not_unpacked(shop: Node) -> None:
    async with shop.client() as client:
        upload = await begin(client, b"abc", sha256="0" * 64)
        await client.request(methods.STAGE_CHUNK, m.StageChunk(upload=upload, offset=0, data=b"abc"))
        assert "arrived damaged" in (await refused(client, methods.STAGE_END, m.StageEnd(upload=upload))).sentence
    assert list((shop.root / "var" / "staging").iterdir()) == []


async def test_the_uploads_of_a_client_that_has_gone_are_dropped(shop: Node) -> None:
    async with shop.client() as gone:
        for _ in range(4):
            await begin(gone, b"abc")
        assert len(list((shop.root / "var/staging").glob("upload-*"))) == 4
    await eventually(lambda: not list((shop.root / "var/staging").glob("upload-*")))
    async with shop.client() as client:
        await begin(client, b"abc")


async def test_only_so_many_uploads_are_open_at_once(shop: Node) -> None:
    async with shop.client() as client:
        for _ in range(4):
            await begin(client, b"abc")
        with pytest.raises(Refused, match=r"4 uploads are open \(limit 4\)"):
            await begin(client, b"abc")


async def test_a_request_that_is_too_long_is_refused_before_it_is_sent(shop: Node) -> None:
    async with shop.client() as client:
        chunk = m.StageChunk(upload="x", offset=0, data=b"x" * (1 << 20))
        assert "is too large" in (await refused(client, methods.STAGE_CHUNK, chunk)).sentence
        await client.request(methods.PING)


# ------------------------------------------------------------------ releases


async def test_an_unknown_version_is_refused_and_changes_nothing(shop: Node) -> None:
    async with shop.client() as client:
        for method, params in (
            (methods.PLAN, m.MakePlan(vsn="9.9")),
            (methods.INSTALL, m.Install(vsn="9.9", reason="try")),
            (methods.REMOVE, m.ReleaseVsn(vsn="9.9")),
        ):
            error = await refused(client, method, params)
            assert error.code == ExitCode.REFUSED
            assert "9.9" in error.sentence
        assert (await client.request(methods.RELEASES)).releases[0].vsn == "1.0"
    intents = [line for line in audit_lines(shop) if line["phase"] == "intent"]
    assert [(line["method"], line["subject"], line.get("reason")) for line in intents] == [
        ("plan", "9.9", None),
        ("install", "9.9", "try"),
        ("remove", "9.9", None),
    ]
    assert {(line["who"], line["claim"], line["role"]) for line in intents} == {("operator", "ann", "operator")}
    assert {line["peer"] for line in intents} == {"127.0.0.1"}


async def test_an_upgrade_is_followed_to_its_end_committed_and_kept_in_the_audit(shop: Node) -> None:
    async with shop.client() as client:
        plan = await client.request(methods.PLAN, m.MakePlan(vsn="1.1"))
        assert plan.blockers == ()
        asked = m.Install(vsn="1.1", direction="up", plan_id=plan.id, reason="ticket 7")
        started = await client.request(methods.INSTALL, asked)
        states = [state async for state in client.follow(started.operation)]
        assert states[-1].outcome == "installed"
        assert {result.outcome for result in states[-1].results} == {"ok"}
        assert [state.ended for state in states[:-1]] == [None] * (len(states) - 1)
        snapshot = await client.request(methods.SNAPSHOT)
        assert (snapshot.info.vsn, snapshot.info.permanent) == ("1.1", "1.0")
        assert snapshot.operation is not None
        till = next(one for one in snapshot.modules if one.name == "shop_till")
        assert till.old_vsn is not None
        committed = await client.request(methods.COMMIT, m.Commit())
        assert committed.outcome == "committed"
        texts = [event.text for event in (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events]
    assert "release 1.1 is now current" in texts
    assert "release 1.1 is now permanent" in texts
    changes = [line for line in audit_lines(shop) if line["method"] != "plan"]
    assert [(line["method"], line["phase"], line.get("outcome")) for line in changes] == [
        ("install", "intent", None),
        ("install", "outcome", f"started operation {started.operation}"),
        ("install", "outcome", "installed"),
        ("commit", "intent", None),
        ("commit", "outcome", "committed"),
    ]
    assert {(line["who"], line["claim"], line.get("plan_id")) for line in changes[:3]} == {("operator", "ann", plan.id)}


async def test_an_operation_goes_on_when_its_client_is_gone(shop: Node) -> None:
    async with shop.client() as client:
        operation = (await client.request(methods.INSTALL, m.Install(vsn="1.1"))).operation
    async with shop.client() as client:
        ended = [state async for state in client.follow(operation)][-1]
    assert (ended.id, ended.outcome) == (operation, "installed")


async def test_a_stale_plan_is_refused_and_the_audit_says_so(shop: Node) -> None:
    async with shop.client() as client:
        plan = await client.request(methods.PLAN, m.MakePlan(vsn="1.1"))
        orders: list[tuple[Method[Any, m.OperationStarted], m.WireStruct, str]] = [
            (methods.INSTALL, m.Install(vsn="1.1"), "installed"),
            (methods.ROLLBACK, m.Rollback(), "reverted"),
        ]
        for method, params, outcome in orders:
            operation = (await client.request(method, params)).operation
            ended = [state async for state in client.follow(operation)][-1]
            assert (ended.outcome, ended.error) == (outcome, None)
        error = await refused(client, methods.INSTALL, m.Install(vsn="1.1", plan_id=plan.id))
        assert error.code == ExitCode.REFUSED
        assert "stale" in error.sentence
    last = audit_lines(shop)[-1]
    assert (last["method"], last["phase"], last["plan_id"]) == ("install", "outcome", plan.id)
    assert "stale" in last["outcome"]


async def test_a_rollback_is_followed_to_its_end(shop: Node) -> None:
    async with shop.client() as client:
        started = await client.request(methods.INSTALL, m.Install(vsn="1.1"))
        assert [state async for state in client.follow(started.operation)][-1].outcome == "installed"
        assert [record.vsn for record in list_records()] == ["1.1"]
        back = await client.request(methods.ROLLBACK, m.Rollback())
        assert [state async for state in client.follow(back.operation)][-1].outcome == "reverted"
        assert (await client.request(methods.SNAPSHOT)).info.vsn == "1.0"
        assert [record.vsn for record in list_records()] == ["1.0"]


async def test_the_tree_has_the_running_version_of_an_application_right_after_an_install(shop: Node) -> None:
    async with shop.client() as client:

        async def version() -> str | None:
            [root, *_] = (await client.request(methods.TREE, m.TreeQuery())).lines
            return None if root.application is None else root.application.vsn

        assert await version() == "1.0"
        started = await client.request(methods.INSTALL, m.Install(vsn="1.1"))
        assert [state async for state in client.follow(started.operation)][-1].outcome == "installed"
        assert await version() == "1.1"


async def test_a_release_is_removed_once(shop: Node) -> None:
    async with shop.client() as client:
        left = await client.request(methods.REMOVE, m.ReleaseVsn(vsn="1.1"))
        assert [one.vsn for one in left.releases] == ["1.0"]
        assert "1.1" in (await refused(client, methods.REMOVE, m.ReleaseVsn(vsn="1.1"))).sentence


async def test_a_plan_for_the_version_that_runs_has_nothing_to_do(shop: Node) -> None:
    async with shop.client() as client:
        assert (await client.request(methods.PLAN, m.MakePlan(vsn="1.0"))).nothing_to_do
    assert [(line["method"], line["phase"]) for line in audit_lines(shop)] == [("plan", "intent"), ("plan", "outcome")]


async def test_an_unknown_operation_is_refused(shop: Node) -> None:
    async with shop.client() as client:
        assert "nope" in (await refused(client, methods.OPERATION, m.GetOperation(operation="nope"))).sentence
        assert (await client.request(methods.OPERATIONS, m.ListLimit())).operations == ()


# ------------------------------------------------------------------ processes


async def test_a_process_is_restarted_by_its_supervisor(shop: Node) -> None:
    pid = whereis("till")
    assert pid is not None
    async with shop.client() as client:
        await client.request(methods.RESTART_PROCESS, m.ProcessTarget(pid=int(pid), boot_id=BOOT, reason="stuck"))
        snapshot = await client.request(methods.SNAPSHOT)
        entries = (await client.request(methods.AUDIT, m.ListLimit())).entries
        told = [event.text for event in (await client.request(methods.EVENTS, m.ListLimit())).events]
    assert [text for text in told if text.endswith(f"restarts till <{int(pid)}>: stuck")]
    now = next(one for one in snapshot.processes if one.name == "till")
    assert now.pid != pid
    assert now.child_id == "till"
    assert [(one.phase, one.method, one.subject, one.reason, one.outcome) for one in entries] == [
        ("intent", "restart_process", f"<{int(pid)}>", "stuck", None),
        ("outcome", "restart_process", f"<{int(pid)}>", "stuck", "done"),
    ]


async def test_a_process_is_killed_and_comes_back_as_after_a_crash(shop: Node) -> None:
    pid = whereis("till")
    assert pid is not None
    async with shop.client() as client:
        await client.request(methods.KILL_PROCESS, m.ProcessTarget(pid=int(pid), boot_id=BOOT))
    await eventually(lambda: whereis("till") not in (None, pid), what="the restart of the till")


async def test_restarting_a_process_that_no_supervisor_restarts_is_refused(shop: Node) -> None:
    async with shop.client() as client:
        snapshot = await client.request(methods.SNAPSHOT)
        guest = next(one for one in snapshot.processes if one.child_id == "guest")
        master = next(one for one in snapshot.processes if one.kind == "application")
        for target, why in ((guest, "temporary"), (master, "no supervisor")):
            asked = m.ProcessTarget(pid=target.pid, boot_id=BOOT)
            assert why in (await refused(client, methods.RESTART_PROCESS, asked)).sentence


async def test_a_process_of_another_boot_or_a_dead_one_is_never_touched(shop: Node) -> None:
    pid = whereis("till")
    assert pid is not None
    async with shop.client() as client:
        other = m.ProcessTarget(pid=int(pid), boot_id="another")
        assert (
            "was restarted after the processes were listed"
            in (await refused(client, methods.KILL_PROCESS, other)).sentence
        )
        dead = m.ProcessTarget(pid=999, boot_id=BOOT)
        assert "<999> has ended" in (await refused(client, methods.KILL_PROCESS, dead)).sentence
    assert whereis("till") == pid


# ------------------------------------------------------------------ the node


async def test_a_stop_is_answered_before_it_is_carried_out(shop: Node) -> None:
    async with shop.client() as client:
        await client.request(methods.STOP, m.StopNode(restart=True, reason="new kernel"))
    await eventually(lambda: shop.stops == [True], what="the order to stop")


async def test_an_unanswered_operation_has_an_unknown_outcome(shop: Node) -> None:
    async with shop.client() as client:
        asked = m.StageEnd(upload="x")
        with pytest.raises(Refused) as caught:
            await client.request(methods.STAGE_END, asked, timeout=0.0)
        assert caught.value.code == ExitCode.UNKNOWN_OUTCOME
        with pytest.raises(Refused) as caught:
            await client.request(methods.STRAY_TASKS, timeout=0.0)
        assert caught.value.code == ExitCode.UNREACHABLE


async def test_the_audit_log_continues_after_a_line_cut_by_a_crash(shop: Node) -> None:
    shop.control.stop()
    with (shop.root / "var" / "audit.jsonl").open("a") as file:
        file.write('{"at": 1.0, "who": "a')
    shop.open_control()
    async with Client.connect(shop.address(), user="bob", client_name="test") as client:
        await refused(client, methods.INSTALL, m.Install(vsn="9.9"))
        entries = (await client.request(methods.AUDIT, m.ListLimit(limit=1))).entries
    assert [(one.claim, one.phase) for one in entries] == [("bob", "outcome")]


async def test_without_a_writable_audit_log_only_a_rollback_is_permitted(shop: Node) -> None:
    async with shop.client() as client:
        begun = m.StageBegin(size=1, sha256=hashlib.sha256(b"x").hexdigest(), file_name="x.tar.gz")
        upload = (await client.request(methods.STAGE_BEGIN, begun)).upload
        await client.request(methods.STAGE_CHUNK, m.StageChunk(upload=upload, offset=0, data=b"x"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
        try:
            unstaged = await refused(client, methods.STAGE_END, m.StageEnd(upload=upload))
            full = await refused(client, methods.COMMIT, m.Commit())
            back = await refused(client, methods.ROLLBACK, m.Rollback())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "audit" in unstaged.sentence
    assert not list((shop.root / "var/staging").glob("upload-*")), "the refused upload is still open"
    assert "audit" in full.sentence
    assert "nothing to roll back" in back.sentence
    assert all(line["subject"] for line in audit_lines(shop))
