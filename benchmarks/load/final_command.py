"""A command that runs when a benchmark has ended, in whatever way: also when it was killed with SIGKILL."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def final_command(*words: object) -> AsyncIterator[None]:
    """Run a command after the block, or when this OS process is gone. Raises `RuntimeError` if the command fails.

    A shell waits for the end of its input, which is open as long as the block runs. It has a session of its own, so
    that a Ctrl-C of the terminal doesn't reach it.
    """
    command = shlex.join(map(str, words))
    waiting = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        f"cat > /dev/null; exec {command} > /dev/null",
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert waiting.stdin is not None
        waiting.stdin.close()
        code = await waiting.wait()
    if code:
        raise RuntimeError(f"{command} ended with {code}; its error is above")
