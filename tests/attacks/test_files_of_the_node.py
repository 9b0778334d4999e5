"""Another user of the machine tries to read, change and link the files of a node, and to reach its processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.attacks import local_attacks
from tests.support.attacks.attacked_node import AttackedNode
from tests.support.attacks.other_user import as_other_user, needs_root
from tests.support.waiting import until

pytestmark = needs_root

SECRET_FILES = ("etc/cookies/operator", "etc/cookies/viewer", "etc/keys/server", "etc/keys/operator", "etc/keys/viewer")
RECORDS = ("var/audit.jsonl", "var/log/tiny.log", "var/parent.json", "var/parent.lock", "releases/record.json")


def below(node: AttackedNode, *paths: str) -> list[str]:
    return [str(node.directory / path) for path in paths]


def all_paths(node: AttackedNode) -> list[str]:
    """The node's directory, and everything in it that the owner sees."""
    return [str(node.directory), *(str(path) for path in node.directory.rglob("*") if "node_runtime" not in path.parts)]


def test_reading_cookies_and_keys(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.read_files, below(attacked, *SECRET_FILES)) == []


def test_reading_audit_log_and_state_of_the_parent(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.read_files, below(attacked, *RECORDS)) == []


def test_listing_and_reading_the_whole_directory(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.read_files, all_paths(attacked)) == []


def test_reading_the_record_in_the_run_directory(attacked: AttackedNode) -> None:
    run_directory = attacked.tiny.run_directory
    paths = [str(run_directory), *(str(path) for path in run_directory.iterdir())]
    assert len(paths) > 1
    assert as_other_user(local_attacks.read_files, paths) == []


def test_reading_uploads_and_temporary_files(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.read_files, below(attacked, "var/staging")) == []
    assert as_other_user(local_attacks.find_files_of, os.getuid(), [str(attacked.tiny.folder), "/dev/shm"]) == []


def test_writing_into_the_directory(attacked: AttackedNode) -> None:
    folders = [path for path in all_paths(attacked) if Path(path).is_dir()]
    files = [path for path in all_paths(attacked) if Path(path).is_file()]
    assert as_other_user(local_attacks.write_below, folders, files) == []


def test_replacing_the_script_and_the_launcher(attacked: AttackedNode) -> None:
    files = [str(path) for path in (attacked.directory / "bin").rglob("*") if path.is_file()]
    assert files
    assert as_other_user(local_attacks.write_below, below(attacked, "bin", "bin/_launcher"), files) == []


def test_hard_links_that_outlive_a_deleted_key(attacked: AttackedNode, tmp_path: Path) -> None:
    folder = attacked.tiny.folder.parent / "links"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    secrets = below(attacked, *SECRET_FILES, "var/audit.jsonl")
    assert as_other_user(local_attacks.link_files, secrets, str(folder)) == []
    folder.rmdir()


def test_signals_to_the_node_and_its_parent(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.send_signals, [process.pid for process in attacked.processes]) == []


def test_a_debugger_for_the_node(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.trace_processes, [process.pid for process in attacked.processes]) == []


def test_reading_memory_environment_and_descriptors_in_proc(attacked: AttackedNode) -> None:
    pids = [process.pid for process in attacked.processes]
    found = as_other_user(local_attacks.read_process_files, pids)
    assert {path.rpartition("/")[2] for path in found} <= {"cmdline"}


def test_secrets_in_command_lines(attacked: AttackedNode) -> None:
    pids = [process.pid for process in attacked.processes]
    shown = " ".join(as_other_user(local_attacks.read_process_files, pids).values())
    for path in below(attacked, *SECRET_FILES):
        for part in Path(path).read_text().strip().split(":"):
            assert len(part) < 20 or part not in shown


def test_errors_of_the_previous_run_in_command_lines(node_under_attack: AttackedNode) -> None:
    """The sentence about a crash may have a secret in it, so it is not for all users to read."""
    node = node_under_attack
    node.ensure_up()
    boots = node.tiny.parent["boots"]
    os.kill(int(str(node.tiny.parent["node_pid"])), signal.SIGKILL)
    until(lambda: node.tiny.parent["boots"] != boots and node.tiny.parent["phase"] == "running", "the next boot")
    pids = [process.pid for process in node.processes]
    shown = " ".join(as_other_user(local_attacks.read_process_files, pids).values())
    assert "signal 9" not in shown


def test_unix_sockets_of_the_node(attacked: AttackedNode) -> None:
    assert as_other_user(local_attacks.connect_unix_sockets, str(attacked.tiny.folder)) == []


@pytest.mark.parametrize("verb", ["ping", "pid", "versions"])
def test_modules_planted_where_the_owner_works(attacked: AttackedNode, verb: str) -> None:
    folder, mark = attacked.tiny.folder.parent / "planted", attacked.tiny.folder.parent / "mark"
    folder.mkdir(mode=0o777, exist_ok=True)
    folder.chmod(0o777)
    names = ["json.py", "zmq.py", "sitecustomize.py", "usercustomize.py", "node_runtime.py", "hotdash.py", "fcntl.py"]
    as_other_user(local_attacks.plant_modules, str(folder), names, str(mark))
    done = attacked.tiny.tiny_in(folder, verb)
    assert done.returncode == 0, done.stderr
    assert not mark.exists()


def test_modules_planted_in_a_python_path(attacked: AttackedNode) -> None:
    """PYTHONPATH and PYTHONHOME of the owner's shell must not lead the launcher to code of somebody else."""
    folder, mark = attacked.tiny.folder.parent / "planted-path", attacked.tiny.folder.parent / "mark-of-path"
    folder.mkdir(mode=0o777, exist_ok=True)
    folder.chmod(0o777)
    names = ["json.py", "hashlib.py", "shlex.py", "sitecustomize.py", "usercustomize.py"]
    as_other_user(local_attacks.plant_modules, str(folder), names, str(mark))
    done = attacked.tiny.tiny_in(Path("/"), "ping", PYTHONPATH=str(folder), PYTHONSTARTUP=str(folder / "json.py"))
    assert not mark.exists()
    assert done.returncode == 0, done.stderr
