"""The run directory: records and addresses of nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from node_runtime.protocol.cookie import cookie_path, key_text, make_keys, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.process_stat import start_ticks
from node_runtime.protocol.run_directory import (
    NodeRecord,
    hold_node_name,
    is_node_alive,
    list_records,
    locate,
    locate_again,
    read_record,
    remove_record,
    run_directory,
    write_record,
)

NAME = "fil@127.0.0.1"


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("HOTDASH_COOKIE_FILE", raising=False)
    return tmp_path / "run"


def record(directory: Path, name: str = NAME, os_pid: int | None = None, boot_id: str = "b1") -> NodeRecord:
    return NodeRecord(
        name=name,
        os_pid=os.getpid() if os_pid is None else os_pid,
        boot_id=boot_id,
        host="127.0.0.1",
        port=4000,
        events_port=4001,
        directory=str(directory),
        release="fil",
        vsn="1986.a",
        started=time.time(),
    )


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def refusal(node: str, cookie_file: Path | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        locate(node, cookie_file)
    return caught.value


# ------------------------------------------------------------------ the directory


def test_the_run_directory_is_made_private(run: Path) -> None:
    assert run_directory() == run
    assert run.stat().st_mode & 0o777 == 0o700


def test_the_default_run_directory_is_that_of_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE_RUNTIME_RUN_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert run_directory() == tmp_path / "node_runtime"


def test_a_run_directory_that_others_can_use_is_refused(run: Path) -> None:
    run.mkdir(mode=0o700)
    run.chmod(0o755)
    with pytest.raises(
        Refused, match=r"other users may use it \(mode 0755\) .* have it removed, or set NODE_RUNTIME_RUN_DIR"
    ):
        run_directory()


def test_a_symbolic_link_as_run_directory_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="it is a symbolic link; have it removed"):
        run_directory()
    run.unlink()
    run.symlink_to(tmp_path / "nothing")
    with pytest.raises(Refused, match="it is a symbolic link; have it removed"):
        run_directory()


def test_a_file_as_run_directory_is_refused(run: Path) -> None:
    run.write_text("")
    with pytest.raises(Refused, match="it is not a directory; have it removed"):
        run_directory()


# ------------------------------------------------------------------ records


def test_a_later_process_with_the_same_id_is_not_the_node(tmp_path: Path) -> None:
    began = start_ticks(os.getpid())
    if began is None:
        pytest.skip("the system doesn't tell when a process began")
    assert is_node_alive(msgspec.structs.replace(record(tmp_path), began=began))
    assert not is_node_alive(msgspec.structs.replace(record(tmp_path), began=began - 1))


def test_a_lock_of_a_name_is_a_file_that_only_its_owner_can_open(run: Path) -> None:
    with hold_node_name(NAME):
        assert (run / f"{NAME}.lock").stat().st_mode & 0o777 == 0o600


def test_a_record_is_read_as_it_was_written_and_removed_with_its_boot(tmp_path: Path) -> None:
    written = record(tmp_path)
    write_record(written)
    assert read_record(NAME) == written
    assert list_records() == [written]
    remove_record(NAME, "another boot")
    assert read_record(NAME) == written
    remove_record(NAME, "b1")
    assert read_record(NAME) is None


def test_dead_nodes_and_invalid_files_are_not_listed(tmp_path: Path, run: Path) -> None:
    write_record(record(tmp_path, "dead@127.0.0.1", os_pid=dead_pid()))
    write_record(record(tmp_path))
    (run / "junk@127.0.0.1.json").write_text("{")
    assert [one.name for one in list_records()] == [NAME]


def test_a_later_process_with_the_same_pid_is_not_the_node(tmp_path: Path) -> None:
    old = record(tmp_path)
    write_record(NodeRecord(**{**{f: getattr(old, f) for f in old.__struct_fields__}, "started": 1.0}))
    assert list_records() == []


def test_a_name_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with hold_node_name(NAME):
        write_record(record(tmp_path))
        with pytest.raises(Refused, match=f"{NAME} runs already as process {os.getpid()}"), hold_node_name(NAME):
            pass
    with hold_node_name(NAME):
        pass


@pytest.mark.parametrize("name", ["fil", "../x@host", "a b@host", "fil@", "@host", "fil@host/../x"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught, hold_node_name(name):
        pass
    assert caught.value.code == ExitCode.USAGE


# ------------------------------------------------------------------ addresses


def test_a_node_of_this_user_is_found_with_its_own_cookie(tmp_path: Path) -> None:
    make_keys(tmp_path)
    write_record(record(tmp_path))
    address = locate(NAME)
    assert (address.host, address.port, address.cookie.role) == ("127.0.0.1", 4000, "operator")
    assert address.record == read_record(NAME)
    cookie_path(tmp_path, "operator").unlink()
    assert locate(NAME).cookie.role == "viewer"


def test_a_named_cookie_file_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(tmp_path)
    write_record(record(tmp_path))
    viewer = cookie_path(tmp_path, "viewer")
    assert locate(NAME, viewer).cookie.role == "viewer"
    monkeypatch.setenv("HOTDASH_COOKIE_FILE", str(viewer))
    assert locate(NAME).cookie.role == "viewer"
    assert locate(NAME, cookie_path(tmp_path, "operator")).cookie.role == "operator"


def test_a_node_without_a_cookie_names_the_command_that_prints_one(tmp_path: Path) -> None:
    write_record(record(tmp_path))
    refused = refusal(NAME)
    assert refused.code == ExitCode.NOT_ALLOWED
    assert f"{tmp_path}/bin/fil cookie" in refused.sentence


def test_an_unknown_node_is_refused_with_the_names_of_those_that_run(tmp_path: Path) -> None:
    refused = refusal("other@127.0.0.1")
    assert refused.code == ExitCode.UNREACHABLE
    assert "no node is running" in refused.sentence
    write_record(record(tmp_path))
    assert f"running nodes: {NAME}" in refusal("other@127.0.0.1").sentence


def test_a_node_that_is_down_says_how_to_start_it(tmp_path: Path) -> None:
    pid = dead_pid()
    write_record(record(tmp_path, os_pid=pid))
    refused = refusal(NAME)
    assert refused.code == ExitCode.UNREACHABLE
    assert f"process {pid} has ended" in refused.sentence
    assert f"{tmp_path}/bin/fil start" in refused.sentence


def test_a_node_that_has_moved_is_found_with_the_same_cookie_file(tmp_path: Path) -> None:
    for name in ("this", "other"):
        make_keys(tmp_path / name)
    viewer = cookie_path(tmp_path / "this", "viewer")
    write_record(record(tmp_path / "this"))
    address = locate(NAME, viewer)
    write_record(msgspec.structs.replace(record(tmp_path / "other"), port=4001))
    assert (locate_again(address).port, locate_again(address).cookie) == (4001, read_cookie(viewer))


def test_a_cookie_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    make_keys(tmp_path)
    cookie = cookie_path(tmp_path, "viewer")
    address = locate("fil@server.example:4444", cookie)
    shutil.rmtree(tmp_path / "etc")
    assert locate_again(address) == address
    make_keys(tmp_path)
    assert locate_again(address).cookie == read_cookie(cookie) != address.cookie


def test_a_remote_node_needs_a_port_and_a_cookie_file(tmp_path: Path) -> None:
    make_keys(tmp_path)
    cookie = cookie_path(tmp_path, "viewer")
    address = locate("fil@server.example:4444", cookie)
    assert (address.name, address.host, address.port) == ("fil@server.example", "server.example", 4444)
    assert address.record is None
    assert refusal("fil@server.example:4444").code == ExitCode.NOT_ALLOWED
    for wrong in ("fil@server.example:", "fil@server.example:99999", "fil@server.example:x", "fil:80"):
        assert refusal(wrong, cookie).code == ExitCode.USAGE


def test_a_cookie_of_another_node_is_refused_before_a_connection_is_made(tmp_path: Path, run: Path) -> None:
    for name in ("this", "other"):
        make_keys(tmp_path / name)
    mine = read_cookie(cookie_path(tmp_path / "this", "operator"))
    write_record(msgspec.structs.replace(record(tmp_path / "this"), server=key_text(mine.server)))
    assert locate(NAME).cookie == mine
    sentence = r"^This cookie belongs to another node, or to a former key of fil@127\.0\.0\.1; ask"
    with pytest.raises(Refused, match=sentence) as refused:
        locate(NAME, cookie_path(tmp_path / "other", "operator"))
    assert refused.value.code == ExitCode.NOT_ALLOWED
