"""`hotdash serve`: the dashboard in a browser."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from hotdash.cli.shared_options import node_options
from hotdash.serve.access import Access
from hotdash.serve.browser_server import BrowserServer, bind_loopback
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip, clip_path
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import locate

DEFAULT_PORT = 8777


@click.command()
@node_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="The port; 0 chooses one."
)
@click.option("--operator", is_flag=True, help="Use the operator's cookie: whoever opens the link can change the node.")
@click.option("--public-url", metavar="URL", help="The URL of a proxy that forwards requests to this server.")
def serve(node: str, cookie_file: Path | None, port: int, operator: bool, public_url: str | None) -> None:
    """Serve the dashboard on NODE to a browser of this machine, with the viewer's cookie.

    The printed link works once: the browser that opens it gets a session. Then the command prints the next link.
    """
    cookie = _cookie_file(node, cookie_file, operator=operator)
    command = shlex.join([sys.executable, "-m", "hotdash", "connect", node, "--cookie-file", str(cookie)])
    bound = bind_loopback(port)
    with bound:
        access = Access(_origin(public_url) or f"http://127.0.0.1:{bound.getsockname()[1]}")
        server = BrowserServer(command, access, f"hotdash {node}", lambda link: click.echo(f"Open {link}"))
        asyncio.run(_serve(server, bound))


async def _serve(server: BrowserServer, bound: socket.socket) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.serve(bound, ended)


def _cookie_file(node: str, cookie_file: Path | None, *, operator: bool) -> Path:
    """Return the path of the cookie for the served dashboards: the viewer's cookie or, if `operator`, the operator's.

    Raises Refused if the node has no such cookie, or if `cookie_file` has an operator's cookie without `operator`.
    """
    address = locate(node, cookie_file)
    named = cookie_file or os.environ.get("HOTDASH_COOKIE_FILE")
    if named is not None:
        found = Path(named)
        if address.cookie.role == "operator" and not operator:
            raise Refused(
                f"The cookie in {clip_path(found)} has the role operator, but a browser gets only a viewer's rights; "
                f"pass a viewer's cookie, or --operator.",
                ExitCode.USAGE,
            )
        return found.absolute()
    assert address.record is not None
    path = cookie_path(Path(address.record.directory), "operator" if operator else "viewer")
    read_cookie(path)
    return path


def _origin(url: str | None) -> str | None:
    """Return the origin of the proxy's URL; None without a URL.

    Raises Refused unless the URL is an HTTP or HTTPS URL without path and query.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        shown = clip(url, MAX_SHOWN_NAME)
        raise Refused(f"{shown!r} is not the URL of a site; write for example https://fil.example.org.", ExitCode.USAGE)
    return f"{parts.scheme}://{parts.netloc}"


VERBS = (serve,)
