"""The options of listeners: encrypted, on a path, on inherited sockets, and with limits for their clients."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import math
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node_runtime import Runtime, web
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web import listening_socket
from node_runtime.web.listeners import listeners
from tests.support.waiting import answered, eventually
from tests.support.web.web_runtime import web_runtime

HELLO = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Read the body, and answer with its length; `/large` has a large response."""
    assert scope["type"] == "http"
    length, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        length, more = length + len(event["body"]), event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(400 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": str(length).encode()})


APP = f"{__name__}:app"


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Runtime]:
    """A runtime with the application web."""
    async with web_runtime() as runtime:
        yield runtime


async def test_the_workers_of_a_node_share_a_port_but_neither_a_free_port_nor_a_path(
    node: Runtime, tmp_path: Path
) -> None:
    web.worker().count = 2
    with pytest.raises(Refused, match="the workers of a node can't share a free port"):
        await web.start_asgi("free", APP)
    with pytest.raises(Refused, match="the workers of a node can't share the socket"):
        await web.start_asgi("path", APP, uds=tmp_path / "socket")
    with socket.socket() as of_another_worker:
        of_another_worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        of_another_worker.bind(("127.0.0.1", 0))
        port = of_another_worker.getsockname()[1]
        await web.start_asgi("shared", APP, port=port)
        assert web.port("shared") == port


async def status_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        return (await reader.readline())[9:12]


async def asked(request: bytes = HELLO, **where: Any) -> bytes:
    """Send a request on a connection of its own; returns the status of the response."""
    path = where.pop("path", None)
    opening = asyncio.open_unix_connection(path) if path else asyncio.open_connection("127.0.0.1", **where)
    reader, writer = await opening
    writer.write(request)
    try:
        return await status_of(reader)
    finally:
        writer.close()


def write_certificate(folder: Path, name: str) -> None:
    """Write a certificate and its key, as another program renews them: by renaming."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    signed = made.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "new").write_bytes(private + signed.public_bytes(pem))
    os.replace(folder / "new", folder / "both.pem")


async def certificate_name(port: int) -> str:
    """The name in the certificate that the listener shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.close()
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def test_a_renewed_certificate_is_shown_in_new_handshakes_and_a_broken_one_is_not(
    node: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_certificate(tmp_path, "one")
    both = tmp_path / "both.pem"
    await web.start_asgi("site", APP, ssl_certfile=both, ssl_keyfile=both)
    port = web.port("site")
    assert await certificate_name(port) == "one"
    write_certificate(tmp_path, "two")

    async def renewed() -> bool | None:
        return True if await certificate_name(port) == "two" else None

    await answered(renewed, "the new certificate")
    both.write_text("broken")
    await eventually(lambda: "can't be used" in caplog.text, what="the message about the broken certificate")
    assert await certificate_name(port) == "two"


async def test_a_unix_socket_is_served_and_removed_and_an_abandoned_one_is_replaced(
    node: Runtime, tmp_path: Path
) -> None:
    path = str(tmp_path / "site.sock")
    abandoned = socket.socket(socket.AF_UNIX)
    abandoned.bind(path)
    abandoned.close()
    await web.start_asgi("site", APP, uds=path)
    assert await asked(path=path) == b"200"
    with pytest.raises(Refused, match="is in use; stop its server"):
        await web.start_asgi("other", APP, uds=path)
    with pytest.raises(Refused, match="has no port; connect to its unix socket"):
        web.port("site")
    await web.stop_http("site")
    assert list(os.scandir(tmp_path)) == []


@pytest.mark.parametrize("option", ["timeout_switch", "drain_websockets"])
@pytest.mark.parametrize("value", [None, "1", -1, math.nan])
def test_a_time_that_would_make_installs_fail_is_refused(option: str, value: Any) -> None:
    options: Any = {option: value}
    with pytest.raises(ValueError, match=rf"^the option {option} is .*; pass a number of seconds that is not negative"):
        web.asgi_child("site", APP, **options)


async def test_listeners_share_a_port_if_they_all_say_so(node: Runtime) -> None:
    await web.start_asgi("one", APP, reuse_port=True)
    port = web.port("one")
    await web.start_asgi("two", APP, port=port, reuse_port=True)
    await web.stop_http("one")
    assert await asked(port=port) == b"200"
    with pytest.raises(Refused, match="is in use"):
        await web.start_asgi("three", APP, port=port)


async def test_a_socket_that_systemd_has_opened_is_used(node: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as of_systemd:
        port = of_systemd.getsockname()[1]
        with pytest.raises(Refused, match="is in use"):
            await web.start_asgi("site", APP, port=port)
        monkeypatch.setattr(listening_socket, "FIRST_INHERITED", of_systemd.fileno())
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", "1")
        with pytest.raises(Refused, match="is in use"):
            await web.start_asgi("site", APP, port=port)
        for pid in (os.getpid(), os.getppid()):
            monkeypatch.setenv("LISTEN_PID", str(pid))
            await web.start_asgi("site", APP, port=port)
            assert await asked(port=port) == b"200"
            await web.stop_http("site")


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_a_large_head_is_refused(node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture) -> None:
    await web.start_asgi("site", APP, http=parser, limit_head_bytes=10_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n")
    for number in range(100):
        writer.write(f"X-{number}: {'x' * 10_000}\r\n".encode())
    assert await status_of(reader) in (b"431", b"400", b"")
    writer.close()
    assert await asked(port=web.port("site")) == b"200"


@pytest.mark.parametrize("parser", ["h11", "httptools"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_a_large_body_is_refused_and_logged_once(
    node: Runtime, parser: Any, announced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser, limit_body_bytes=1000)
    port = web.port("site")
    head = b"POST / HTTP/1.1\r\nHost: here\r\n"
    fits = head + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000
    large = head + (
        b"Content-Length: 1000000000\r\n\r\n"
        if announced
        else b"Transfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n"
    )
    assert await asked(fits, port=port) == b"200"
    with caplog.at_level(logging.WARNING):
        assert [await asked(large, port=port) for _ in range(3)] == [b"413"] * 3
    assert [record.getMessage() for record in caplog.records if "body was too large" in record.getMessage()] == [
        "listener site ended connections: the body was too large (limit_body_bytes) (1 since the last report)"
    ]


SLOW = (b"", b"GET / HTTP/1.1\r\nHost: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_clients_that_send_too_slowly_are_disconnected(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser, timeout_head=0.5, timeout_stalled=0.5)

    async def disconnected(sent: bytes) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
        writer.write(sent)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        return True

    assert all(await asyncio.gather(*map(disconnected, SLOW)))
    assert await asked(port=web.port("site")) == b"200"


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_an_idle_connection_is_closed_without_a_word(
    node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser, timeout_keep_alive=0)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    writer.write(HELLO)
    async with asyncio.timeout(60):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_client_that_does_not_read_its_response_is_disconnected(
    node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, timeout_stalled=0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"), limit=1000)
    writer.write(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
    await eventually(lambda: "the client did not read its response" in caplog.text, what="the disconnect")
    assert await asked(port=web.port("site")) == b"200"
    writer.transport.abort()
    del reader


async def test_more_connections_than_the_limit_are_closed(node: Runtime) -> None:
    await web.start_asgi("site", APP, limit_connections=2)
    port = web.port("site")
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in opened:
        writer.write(HELLO)
        assert await status_of(reader) == b"200"
    assert await asked(port=port) == b""
    for _, writer in opened:
        writer.close()

    async def admitted() -> bool | None:
        return True if await asked(port=port) == b"200" else None

    await answered(admitted, "the place of a connection that has ended")


async def test_a_tls_handshake_that_does_not_end_is_ended(node: Runtime, tmp_path: Path) -> None:
    write_certificate(tmp_path, "one")
    both = tmp_path / "both.pem"
    await web.start_asgi("site", APP, ssl_certfile=both, ssl_keyfile=both, timeout_head=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    assert await certificate_name(web.port("site")) == "one"
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


async def test_the_system_probes_whether_a_silent_client_is_still_there(node: Runtime) -> None:
    await web.start_asgi("site", APP)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    await eventually(lambda: connections("site"), what="the connection")
    (accepted,) = connections("site")
    bound = accepted.transport.get_extra_info("socket")
    assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert (
        bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        * bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        == 60
    )
    writer.close()
    del reader


def connections(name: str) -> list[Any]:
    server = listeners()[name].server
    return [] if server is None else [*server.server_state.connections]
