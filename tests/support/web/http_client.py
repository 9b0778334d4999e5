"""A client of HTTP that keeps its connection open, for tests whose event loop is the server's."""

from __future__ import annotations

import asyncio
import http.client


class Client:
    """One connection. http.client blocks, so it works in a thread beside the loop that serves it."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.headers = headers or {}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    async def get(self, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path, method, body)

    def _get(self, path: str, method: str, body: str | None) -> tuple[int, str]:
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    @property
    def local_port(self) -> int:
        return int(self.connection.sock.getsockname()[1])

    def close(self) -> None:
        self.connection.close()
