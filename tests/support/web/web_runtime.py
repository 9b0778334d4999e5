"""A runtime with the application web, for tests of listeners in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node_runtime import Runtime, application, web


@asynccontextmanager
async def web_runtime() -> AsyncIterator[Runtime]:
    """Start a runtime and the application web in it; stop both at the end."""
    async with Runtime() as runtime:
        application.load(web.APPLICATION)
        await application.start("web")
        yield runtime
        await application.stop("web")
