"""The run directory. It has one record for each running node of this user.

The run directory is `$NODE_RUNTIME_RUN_DIR`, else `$XDG_RUNTIME_DIR/node_runtime`, else `/tmp/node_runtime-$UID`. Only
its owner may write to it (mode 0700): another user could direct an operator to a false node.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import psutil

from .clip import MAX_SHOWN_NAME, clip
from .cookie import Cookie, cookie_path, key_text, read_cookie
from .exit_codes import ExitCode, Refused
from .local_user import os_user
from .lock_file import hold_lock
from .messages import Role
from .process_stat import start_ticks

MAX_RECORD_BYTES = 1 << 20
"""At most this many bytes of a record are read. The longest path takes 4 KiB."""
_NODE_NAME = re.compile(r"(?=.{3,200}$)[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+")
_PREFERRED_ROLES: tuple[Role, ...] = ("operator", "viewer")


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a running node in the run directory.

    `started` is in Unix seconds. `began` is when the node's OS process began, as `start_ticks` returns it.
    `events_port` is the same as `port`. Clients of protocol 1 need `events_port` to connect; the node then replies that
    they are too old. `vsn` is the release that runs now. `server` is the node's public key as text; it is empty in the
    record of an older node. `worker` is the number of the worker that runs in this OS process.
    """

    name: str
    os_pid: int
    boot_id: str
    host: str
    port: int
    events_port: int
    directory: str
    release: str
    vsn: str
    started: float
    began: int | None = None
    server: str = ""
    worker: int = 1


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """The address and the cookie of a node's control endpoint.

    `record` is set only for a node of this machine. `cookie_file` is set only if the cookie comes from a file that the
    user or `$HOTDASH_COOKIE_FILE` has named.
    """

    name: str
    host: str
    port: int
    cookie: Cookie
    record: NodeRecord | None = None
    cookie_file: Path | None = None


def run_directory() -> Path:
    """Return the run directory; make it if necessary. Raises Refused if another user owns it, or may write to it."""
    path = _run_directory_path()
    if not str(path).isprintable():  # the parent process reads the path as a line of UTF-8
        raise Refused(
            f"The path of the run directory, {str(path)!r}, has a line break or is not UTF-8; set NODE_RUNTIME_RUN_DIR "
            f"to another path."
        )
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise Refused(
            f"The run directory {path} can't be used ({error.strerror}); set NODE_RUNTIME_RUN_DIR to another directory."
        ) from None
    if why := _not_private(found):
        raise Refused(
            f"The run directory {path} is not used, because {why}; have it removed, or set NODE_RUNTIME_RUN_DIR to a "
            f"directory that only you can use."
        )
    return path


def _not_private(found: os.stat_result) -> str:
    """Return a clause that says why a run directory can't be trusted; empty if only this user can change it."""
    if stat.S_ISLNK(found.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.getuid():
        return f"it belongs to the user {os_user(found.st_uid)}"
    if mode := stat.S_IMODE(found.st_mode) & 0o077:
        return f"other users may use it (mode {mode | 0o700:04o}) and put records of false nodes there"
    return ""


def _run_directory_path() -> Path:
    if chosen := os.environ.get("NODE_RUNTIME_RUN_DIR"):
        return Path(chosen)
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / "node_runtime"
    return Path(f"/tmp/node_runtime-{os.getuid()}")


def check_node_name(name: str) -> None:
    """Raise Refused (USAGE) unless `name` has the form name@host."""
    if not _NODE_NAME.fullmatch(name):
        shown = clip(name, MAX_SHOWN_NAME)
        raise Refused(f"{shown!r} is not a node name; write name@host, such as fil@127.0.0.1.", ExitCode.USAGE)


# ------------------------------------------------------------------ the node's side


@contextmanager
def hold_node_name(name: str) -> Iterator[None]:
    """Reserve the node name `name` for this OS process inside the block.

    Raises Refused if another process of this user has reserved it.
    """
    check_node_name(name)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(run_directory() / f"{name}.lock"))
        except BlockingIOError:
            record = read_record(name)
            holder = f" as process {record.os_pid} from {record.directory}" if record else ""
            raise Refused(f"A node named {name} runs already{holder}; stop it first.") from None
        except OSError as error:
            lock = run_directory() / f"{name}.lock"
            raise Refused(f"The lock {lock} can't be used ({error.strerror}); remove it.") from None
        yield


def write_record(record: NodeRecord) -> None:
    """Write `record` atomically.

    The caller must have reserved the node's name. Raises OSError if the disk can't be written.
    """
    check_node_name(record.name)
    path = run_directory() / f"{record.name}.json"
    temporary = path.with_name(f".{path.name}.new")  # a file that an interrupted boot has left is replaced
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(record))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def update_record(name: str, boot_id: str, *, server: str | None = None, vsn: str | None = None) -> None:
    """Write the node's new public key, or the release that it runs now, into the record of the boot `boot_id`.

    Raises OSError if the disk can't be written.
    """
    record = read_record(name)
    if record is None or record.boot_id != boot_id:
        return
    new = msgspec.structs.replace(record, server=server or record.server, vsn=vsn or record.vsn)
    if new != record:
        write_record(new)


def remove_record(name: str, boot_id: str) -> None:
    """Remove the record of the boot `boot_id`; the record of a newer boot stays."""
    record = read_record(name)
    if record is not None and record.boot_id == boot_id:
        (run_directory() / f"{name}.json").unlink(missing_ok=True)


# ------------------------------------------------------------------ the operator's side


def read_record(name: str) -> NodeRecord | None:
    """Return the record of `name`, even if its process has ended. Returns None for a missing or damaged record."""
    check_node_name(name)
    return _read(run_directory() / f"{name}.json")


def list_records() -> list[NodeRecord]:
    """Return the records of the nodes whose processes are alive, sorted by name."""
    found = (_read(path) for path in sorted(run_directory().glob("*.json")))
    return [record for record in found if record is not None and is_node_alive(record)]


def is_node_alive(record: NodeRecord) -> bool:
    """Return whether the process that wrote `record` still runs. A later process with the same pid doesn't count."""
    try:
        process = psutil.Process(record.os_pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if record.began is not None and (began := start_ticks(record.os_pid)) is not None:
            return began == record.began
        return process.create_time() <= record.started + 5
    except psutil.NoSuchProcess:
        return False


def locate(node: str, cookie_file: Path | None = None) -> NodeAddress:
    """Return the address of `node`: "fil@127.0.0.1" on this machine, or "name@host:port" on any machine.

    The cookie comes from `cookie_file`, else from the file that `$HOTDASH_COOKIE_FILE` names. If neither is given, the
    cookie of a node of this user on this machine comes from the node's directory. Raises Refused. The code is
    UNREACHABLE if the node is unknown or its process has ended, and NOT_ALLOWED if the cookie can't be used.
    """
    if cookie_file is None and (named := os.environ.get("HOTDASH_COOKIE_FILE")):
        cookie_file = Path(named)
    name, colon, port = node.rpartition(":")
    if colon:
        return _locate_remote(name, port, cookie_file)
    check_node_name(node)
    record = read_record(node)
    if record is None:
        raise Refused(f"No node named {node} runs here; {_running_nodes()}.", ExitCode.UNREACHABLE)
    if not is_node_alive(record):
        if _parent_is_alive(record):
            raise Refused(
                f"{node} is restarting: its process {record.os_pid} has ended, and its parent process boots it again; "
                f"try again in a moment.",
                ExitCode.UNREACHABLE,
            )
        start = Path(record.directory) / "bin" / record.release
        raise Refused(
            f"{node} is down: its process {record.os_pid} has ended; start it with `{start} start`.",
            ExitCode.UNREACHABLE,
        )
    cookie = read_cookie(cookie_file) if cookie_file else _own_cookie(record)
    if record.server and key_text(cookie.server) != record.server:
        raise Refused(
            f"This cookie belongs to another node, or to a former key of {node}; ask the node's owner for the output "
            f"of `bin/<name> cookie`.",
            ExitCode.NOT_ALLOWED,
        )
    return NodeAddress(node, record.host, record.port, cookie, record, cookie_file)


def locate_again(address: NodeAddress) -> NodeAddress:
    """Return the present address and cookie of the node at `address`.

    The node may have restarted on another port, or may have been installed anew, with other keys. Raises Refused like
    `locate`. For a node of another machine, the former cookie stays if its file can't be read any more.
    """
    if address.record is not None:
        return locate(address.name, address.cookie_file)
    if address.cookie_file is None:
        return address
    with suppress(Refused):
        return replace(address, cookie=read_cookie(address.cookie_file))
    return address


def _parent_is_alive(record: NodeRecord) -> bool:
    """Return whether the parent process, which restarts the node, is alive. A living parent holds its lock."""
    try:
        with (Path(record.directory) / "var" / "parent.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _locate_remote(name: str, port: str, cookie_file: Path | None) -> NodeAddress:
    check_node_name(name)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise Refused(f"{clip(port, MAX_SHOWN_NAME)!r} is not a port number; write {name}:PORT.", ExitCode.USAGE)
    if cookie_file is None:
        raise Refused(
            f"Connecting to {name} over the network needs the node's cookie; run `bin/<name> cookie` on the node, save "
            f"the output in a file, and pass the file with --cookie-file.",
            ExitCode.NOT_ALLOWED,
        )
    return NodeAddress(name, name.partition("@")[2], int(port), read_cookie(cookie_file), cookie_file=cookie_file)


def _own_cookie(record: NodeRecord) -> Cookie:
    for role in _PREFERRED_ROLES:
        path = cookie_path(Path(record.directory), role)
        if path.exists():
            return read_cookie(path)
    raise Refused(
        f"No cookie of {record.name} in {record.directory} can be read; "
        f"ask the owner of this directory for the output of `{record.directory}/bin/{record.release} cookie`.",
        ExitCode.NOT_ALLOWED,
    )


def _running_nodes() -> str:
    names = ", ".join(record.name for record in list_records())
    return f"running nodes: {names}" if names else "no node is running; start one with `bin/<name> start`"


def _read(path: Path) -> NodeRecord | None:
    """Return the record in a file; None if the file is damaged, or belongs to another user and may be false."""
    try:
        with open(path, "rb", opener=_open_no_link) as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            return msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=NodeRecord)
    except (OSError, msgspec.DecodeError):
        return None


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
