"""Commands run at a terminal, with typed answers to their questions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROMPTS: Final = (b"to proceed: ", b"[y/N]: ")
"""The ends of the questions."""


def typed(env: Mapping[str, str], answer: str, *command: str | Path) -> tuple[str, int]:
    """Run a command at a terminal and type `answer` at each question; returns the output and the exit code."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as asked:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            said += part
            if said.endswith(PROMPTS):
                os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return said.decode().replace("\r\n", "\n").strip(), asked.returncode
