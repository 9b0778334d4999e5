"""The dashboard in a browser, over real HTTP: nothing is served without the session of a link that works once."""

from __future__ import annotations

import asyncio
import http.client
import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import websockets
from click.testing import CliRunner

from hotdash.cli import hotdash, main
from hotdash.serve.access import Access
from hotdash.serve.browser_server import MAX_PAGES, BrowserServer, bind_loopback
from node_runtime.protocol.cookie import cookie_path
from tests.support.chromium import chromium, program
from tests.support.dashboard.fil_world import NODE
from tests.support.dashboard.scripted_peer import Peer
from tests.support.waiting import eventually

LONG = 60.0
PATHS = ("/", "/ws", "/download/key", "/static/js/textual.js", "/static/css/xterm.css", "/unknown")


class Site:
    """A running server, and a client that is not a browser: it sends what the test says."""

    def __init__(self, origin: str, port: int) -> None:
        self.origin = origin
        self.port = port
        self.links: list[str] = []

    async def get(self, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        return await asyncio.to_thread(self._get, path, headers)

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    async def enter(self) -> str:
        """Open the newest link; return the session cookie as a browser sends it."""
        status, headers, _ = await self.get(self.links[-1].removeprefix(self.origin))
        assert (status, headers["Location"]) == (303, "/")
        return str(headers["Set-Cookie"]).partition(";")[0]

    def websocket(self, cookie: str, origin: str | None = None) -> websockets.connect:
        return websockets.connect(
            f"ws://127.0.0.1:{self.port}/ws?width=100&height=30",
            additional_headers={"Cookie": cookie}, origin=websockets.Origin(origin or self.origin), max_size=None,
            open_timeout=LONG,
        )  # fmt: skip


@pytest.fixture
async def site(peer: Peer, tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose pages show the dashboard on the scripted node."""
    peer.start()
    cookie = cookie_path(tmp_path / "node", "viewer")
    async with running([sys.executable, "-m", "hotdash", "connect", NODE, "--cookie-file", str(cookie)]) as found:
        yield found


@pytest.fixture
async def light_site() -> AsyncIterator[Site]:
    """A site whose pages show a process that ends as soon as it is asked to."""
    async with running(["head", "-c", "1"]) as found:
        yield found


@asynccontextmanager
async def running(command: list[str]) -> AsyncIterator[Site]:
    with bind_loopback(0) as bound:
        port = bound.getsockname()[1]
        found = Site(f"http://127.0.0.1:{port}", port)
        server = BrowserServer(shlex.join(command), Access(found.origin), "fil", found.links.append)
        ended = asyncio.Event()
        serving = asyncio.create_task(server.serve(bound, ended))
        await eventually(lambda: found.links, within=LONG)
        yield found
        ended.set()
        await serving


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_served_without_a_session(light_site: Site, path: str) -> None:
    for cookie in ("", f"hotdash-{light_site.port}=guess", f"hotdash-{light_site.port}="):
        status, _, text = await light_site.get(path, Cookie=cookie, Origin=light_site.origin)
        assert (status, text) == (403, "Open the link that 'hotdash serve' has printed; each link works once.\n")


async def test_a_link_is_exchanged_once_for_a_cookie_that_scripts_and_other_sites_do_not_get(light_site: Site) -> None:
    link = light_site.links[0].removeprefix(light_site.origin)
    status, headers, _ = await light_site.get(link)
    assert status == 303
    attributes = [part.strip() for part in str(headers["Set-Cookie"]).split(";")]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert len(light_site.links) == 2
    status, headers, text = await light_site.get(link)
    assert status == 403
    assert "has been used or is too old" in text
    assert headers["Set-Cookie"] is None


async def test_a_session_gets_the_page_and_its_files(light_site: Site) -> None:
    cookie = await light_site.enter()
    status, headers, text = await light_site.get("/", Cookie=cookie)
    assert status == 200
    assert f"ws://127.0.0.1:{light_site.port}/ws" in text
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert (await light_site.get("/static/js/textual.js", Cookie=cookie))[0] == 200
    assert (await light_site.get("/static/", Cookie=cookie))[0] in (403, 404)
    assert (await light_site.get("/unknown", Cookie=cookie))[0] == 404


@pytest.mark.parametrize("path", PATHS)
async def test_another_site_gets_nothing_even_with_the_cookie(light_site: Site, path: str) -> None:
    cookie = await light_site.enter()
    status, _, text = await light_site.get(path, Cookie=cookie, Origin="http://evil.example")
    assert (status, text) == (403, "Requests from other sites are refused.\n")
    status, _, text = await light_site.get(path, Cookie=cookie, Host="evil.example")
    assert (status, text) == (403, f"This server answers only at {light_site.origin}.\n")


async def test_a_websocket_needs_the_session_and_the_origin(light_site: Site) -> None:
    cookie = await light_site.enter()
    for sent, origin in (
        ("", light_site.origin),
        (cookie, "http://evil.example"),
        (cookie, f"http://localhost:{light_site.port}"),
    ):
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with light_site.websocket(sent, origin):
                pass
        assert caught.value.response.status_code == 403
    status, _, _ = await light_site.get("/ws", Cookie=cookie, Connection="Upgrade", Upgrade="websocket")
    assert status == 403


async def test_the_page_shows_a_viewers_dashboard(site: Site, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with site.websocket(await site.enter()) as page:
        received = b""
        async with asyncio.timeout(LONG):
            while b"fil_color_fsm" not in received or b"READ-ONLY (viewer)" not in received:
                data = await page.recv()
                received += data if isinstance(data, bytes) else data.encode()
        await page.send(json.dumps(["stdin", "\x11"]))  # ctrl+q
        async with asyncio.timeout(LONG):
            async for _ in page:  # until the server closes it
                pass


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1", '["stdin"]', '["resize", 3]', "[" * 100_000])
async def test_a_message_that_no_page_sends_ends_the_page(light_site: Site, text: str) -> None:
    async with light_site.websocket(await light_site.enter()) as page:
        await page.send(text)
        async with asyncio.timeout(LONG):
            async for _ in page:
                pass


async def test_only_so_many_pages_are_open_at_once(light_site: Site) -> None:
    cookie = await light_site.enter()
    pages = [await light_site.websocket(cookie).__aenter__() for _ in range(MAX_PAGES)]
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with light_site.websocket(cookie):
            pass
    assert caught.value.response.status_code == 503
    for page in pages:
        await page.close()


MALFORMED = {
    "no URL": "GET /enter?token=\xff HTTP/1.1\r\n\r\n",
    "a port that is none": "GET http://evil:99999999/ HTTP/1.1\r\n\r\n",
    "two hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a long line": f"GET /{'a' * 9000} HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("label", MALFORMED)
async def test_malformed_requests_of_strangers_write_nothing_to_the_terminal(
    light_site: Site, label: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", light_site.port)
    writer.write(MALFORMED[label].encode("latin-1"))
    assert b" 400 " in await reader.readline()
    writer.close()
    assert caplog.records == []


@pytest.mark.skipif(program() is None, reason="no chromium on this machine; install it to see a page in a browser")
async def test_a_browser_shows_the_dashboard(site: Site, tmp_path: Path) -> None:
    async with chromium(tmp_path / "browser") as page:
        await page.open(site.links[-1])
        assert await page.evaluate("location.pathname + location.search") == "/"
        assert await page.evaluate("document.cookie") == ""
        await page.until("document.body.classList.contains('-first-byte')", within=LONG)
        foreign = await page.evaluate(
            "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)"
            " && e.responseStatus).map(e => e.name)"
        )
        assert foreign == []


def test_an_operators_cookie_is_not_given_to_a_browser_unasked(
    run_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Peer(tmp_path / "node")  # makes its keys and cookies
    cookie = cookie_path(tmp_path / "node", "operator")
    with pytest.raises(SystemExit) as caught:
        main(["serve", "fil@127.0.0.1:9", "--cookie-file", str(cookie)])
    assert caught.value.code == 2
    assert "pass a viewer's cookie, or --operator." in capsys.readouterr().err


def test_the_help_says_whose_cookie_is_used() -> None:
    shown = CliRunner().invoke(hotdash, ["serve", "--help"]).output
    assert "with the viewer's cookie" in " ".join(shown.split())
