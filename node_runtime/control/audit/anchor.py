"""The anchor of the audit log: a place that gets each new head of the chain, and that the node's OS user can't change.

The head is the number and the hash of the newest entry. A user who can write the log can also replace it by another
valid chain, but that chain doesn't match the heads at the anchor.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from node_runtime.releases.files.trust_settings import read_trust_settings

MAX_ANCHOR_BYTES: Final = 64 << 20
"""A verification reads at most this many bytes, from the end of the anchor's file."""
JOURNAL_SOCKET: Final = Path("/run/systemd/journal/socket")
SYSLOG_SOCKET: Final = Path("/dev/log")
IDENTIFIER: Final = "hotdash-audit"
_SYSLOG_PRIORITY: Final = 10 * 8 + 5  # authpriv, notice
_GET_FLAGS: Final = 0x80086601  # FS_IOC_GETFLAGS
_APPEND_ONLY: Final = 0x20  # FS_APPEND_FL

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(slots=True)
class Anchor:
    """The anchor of a node's audit log. The kind "none" means that the node has no anchor."""

    kind: Literal["journal", "syslog", "file", "none"]
    path: Path = Path()
    failed: str = ""
    """The reason why the newest head could not be sent; empty if it was sent."""

    def send(self, line: str) -> None:
        """Send one line. Of several errors in a row, only the first is logged."""
        try:
            self._send(line)
        except OSError as error:
            if not self.failed:
                logger.warning(
                    "the audit log can't be anchored, because nothing can be sent to %s: %s", self.path, error
                )
            self.failed = str(error)
        else:
            self.failed = ""

    def lines(self) -> list[str] | None:
        """Return the lines at the anchor, or None if this process can't read them."""
        if self.kind != "file" or not self.path.is_file():
            return None
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_ANCHOR_BYTES))
                return file.read(MAX_ANCHOR_BYTES).decode(errors="replace").splitlines()
        except OSError:
            return None

    def weakness(self) -> str:
        """Return a clause that says why the anchor can't be trusted; empty if no reason is known."""
        if self.kind != "file":
            return ""
        try:
            found = self.path.stat()
        except OSError as error:
            return f"can't be read ({error.strerror})"
        if found.st_uid == os.geteuid():
            return "belongs to the node's user, who can rewrite it"
        if stat.S_ISREG(found.st_mode) and not _is_append_only(self.path):
            return "can be rewritten by the node's user; run `chattr +a` on it"
        return ""

    def _send(self, line: str) -> None:
        if self.kind == "journal":
            fields = f"MESSAGE={line}\nPRIORITY=5\nSYSLOG_IDENTIFIER={IDENTIFIER}\n"
            _send_datagram(self.path, fields.encode())
        elif self.kind == "syslog":
            _send_datagram(self.path, f"<{_SYSLOG_PRIORITY}>{IDENTIFIER}[{os.getpid()}]: {line}".encode())
        elif self.kind == "file":
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                data = f"{line}\n".encode()
                if os.write(descriptor, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)


def find_anchor(directory: Path) -> Anchor:
    """Return the anchor that `audit_anchor` in etc/node.toml names.

    The default is the journal, or syslog on a machine without a journal, or else no anchor. Raises Refused if
    etc/node.toml is damaged.
    """
    chosen = read_trust_settings(directory).audit_anchor
    if chosen is None:
        if _is_socket(JOURNAL_SOCKET):
            return Anchor("journal", JOURNAL_SOCKET)
        return Anchor("syslog", SYSLOG_SOCKET) if _is_socket(SYSLOG_SOCKET) else Anchor("none")
    if chosen == "none":
        return Anchor("none")
    path = Path(chosen)
    return Anchor("syslog" if _is_socket(path) else "file", path)


def _send_datagram(path: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(data, str(path))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _is_append_only(path: Path) -> bool:
    """Return whether the file has the attribute that `chattr +a` sets; False if the attribute can't be read."""
    try:
        with path.open("rb") as file:
            flags = fcntl.ioctl(file.fileno(), _GET_FLAGS, b"\0" * 8)
    except OSError:
        return False
    return bool(int.from_bytes(flags, "little") & _APPEND_ONLY)
