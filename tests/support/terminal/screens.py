"""Programs on a terminal of their own that draw screens, without a program that shows them."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_SECONDS = 120.0
LINES_AND_COLUMNS = struct.pack("HHHH", 40, 120, 0, 0)


def drawn(words: Sequence[str], env: Mapping[str, str], folder: Path, shown: str, keys: bytes) -> tuple[str, int]:
    """Run a command on a terminal, and type `keys` when it has drawn `shown`; returns all that it drew, and its code.

    The keys are typed again every second, because a program may drop them while it opens a screen.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, LINES_AND_COLUMNS)
    with subprocess.Popen(
        words, cwd=folder, env={**env, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    ) as program:  # fmt: skip
        os.close(theirs)
        output = b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        next_keys = 0.0
        while (now := time.monotonic()) < deadline:
            if shown.encode() in output and now > next_keys:
                os.write(ours, keys)
                next_keys = now + 1.0
            readable, _, _ = select.select([ours], [], [], 0.1)
            try:
                output += os.read(ours, 65536) if readable else b""
            except OSError:  # the other end is closed
                break
        else:
            program.kill()
    os.close(ours)
    return output.decode(errors="replace"), program.returncode
