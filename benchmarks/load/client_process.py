"""Clients in OS processes of their own, so that they don't slow down each other, nor what measures them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .counts import Summary

READY_SECONDS = 120.0
REPORT_SECONDS = 120.0


class ClientProcess:
    """A running client: `benchmarks.load.generator` or `benchmarks.load.swarm`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    async def phase(self) -> Summary:
        """Return the counts until now, and the times since the last phase."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        return await self._summary()

    async def finish(self) -> Summary:
        """End the client, and return all counts."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await self._summary()

    async def ready(self) -> None:
        """Wait until the client is connected."""
        await self._line(READY_SECONDS)

    async def _summary(self) -> Summary:
        return Summary(**json.loads(await self._line(REPORT_SECONDS)))

    async def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended without its counts; its error is above")
        return line


@asynccontextmanager
async def client(module: str, *words: object) -> AsyncIterator[ClientProcess]:
    """Run a client of this package, connected and at work, until the end of the block at the latest."""
    command = [sys.executable, "-m", f"benchmarks.load.{module}", *map(str, words)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20)
    started = ClientProcess(module, process)
    try:
        await started.ready()
        yield started
    finally:
        if process.returncode is None:
            if process.stdin is not None and not process.stdin.is_closing():
                process.kill()
            await process.wait()
