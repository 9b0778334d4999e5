"""The generator counts exactly what a server does wrong; the server here does it by script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from benchmarks.load.counts import Summary
from benchmarks.load.generator import Generator
from benchmarks.load.sites import page
from tests.support.waiting import eventually

RIGHT = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
WRONG_BODY = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhullo"
WRONG_STATUS = b"HTTP/1.1 500 Oh\r\ncontent-length: 5\r\n\r\nhello"
CUT = RIGHT[:-2]
NO_HTTP = b"hello\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
HELLO = page("/", s200=b"hello")
LIMIT_SECONDS = 60.0


@asynccontextmanager
async def server(answers: Iterator[tuple[bytes, bool]], served: Callable[[], None]) -> AsyncIterator[int]:
    """Answer each request with the next bytes, and close the connection after them if that says so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answer, closes = next(answers, (RIGHT, False))
                writer.write(answer)
                await writer.drain()
                served()
                if closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def counted(*answers: tuple[bytes, bool], requests: int, rate: float = 500.0, connections: int = 1) -> Summary:
    """Ask until the server has got at least as many requests as these, and return the counts."""
    ended, number = asyncio.Event(), 0

    def served() -> None:
        nonlocal number
        number += 1
        if number >= requests:
            ended.set()

    async with server(iter(answers), served) as port:
        generator = Generator([HELLO], port, rate, connections)
        await generator.open()
        async with asyncio.timeout(LIMIT_SECONDS):
            await generator.run(ended)
        generator.close()
    return generator.counts.summary()


def faults(summary: Summary) -> tuple[int, int, int, int, int]:
    return summary.failed, summary.wrong, summary.dropped, summary.lost, summary.doubled


async def test_right_answers_are_no_faults() -> None:
    summary = await counted((RIGHT, False), (CHUNKED, False), requests=20, connections=3)
    assert faults(summary) == (0, 0, 0, 0, 0)
    assert summary.answered == summary.sent >= 20


async def test_an_answer_with_another_body_or_status_is_wrong() -> None:
    summary = await counted((WRONG_BODY, False), (RIGHT, False), (WRONG_STATUS, False), requests=5)
    assert faults(summary) == (0, 2, 0, 0, 0)
    assert "hullo" in summary.examples[0]


async def test_a_connection_that_is_closed_after_an_answer_is_dropped() -> None:
    summary = await counted((RIGHT, True), (RIGHT, False), (RIGHT, True), requests=8)
    assert summary.dropped == 2
    assert summary.answered + summary.failed == summary.sent, "a request that meets the end of a connection has failed"


async def test_a_request_whose_connection_ends_in_its_answer_has_failed() -> None:
    assert faults(await counted((CUT, True), (b"", True), requests=6)) == (2, 0, 2, 0, 0)


async def test_an_answer_that_nobody_asked_for_is_doubled() -> None:
    assert faults(await counted((RIGHT + RIGHT, False), requests=6)) == (0, 0, 0, 0, 1)


async def test_an_answer_that_is_no_http_is_wrong_and_its_request_has_failed() -> None:
    assert faults(await counted((NO_HTTP, False), requests=6)) == (1, 1, 1, 0, 0)


async def test_the_time_of_an_answer_counts_from_the_moment_at_which_its_request_was_due() -> None:
    """While the only connection waits, requests become due; each of them has waited, too."""
    gate, seen = asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                seen += 1
                await gate.wait()
                writer.write(RIGHT)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    generator = Generator([HELLO], listening.sockets[0].getsockname()[1], 100.0, 1)
    await generator.open()
    ended = asyncio.Event()
    async with asyncio.timeout(LIMIT_SECONDS):
        running = asyncio.create_task(generator.run(ended))
        await eventually(lambda: generator.counts.sent >= 20, what="the 20th request that is due")
        assert seen == 1
        gate.set()
        ended.set()
        await running
    generator.close()
    listening.close()
    times = generator.counts.seconds
    assert len(times) == generator.counts.sent
    assert times == sorted(times, reverse=True), "the first request has waited longest"
    assert times[0] - times[10] > 0.09, "ten requests at a rate of 100 per second"
