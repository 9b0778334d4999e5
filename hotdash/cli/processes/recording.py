"""`hotdash log`, `trace`, `suspend` and `resume`: record the messages of one process, or stop it for some time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from rich.console import RenderableType
from rich.text import Text

from hotdash.cli.confirmation import confirm
from hotdash.cli.output import print_line, print_table, show
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import Seconds, node_options, output_option, reason_option, yes_option
from hotdash.cli.shell.values import complete_processes
from hotdash.cli.tables.layout import block, line_text
from hotdash.model.process.surroundings import event_line
from hotdash.model.process_tree import title_of
from hotdash.model.styled_text import line, span
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client

from .pages import find_process

POLL_SECONDS: Final = 0.5


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@click.option("--off", is_flag=True, help="End the log, and delete it.")
@reason_option
@output_option
def log(node: str, cookie_file: Path | None, process: str, off: bool, reason: str | None, output: str) -> None:
    """Keep a log of the newest 50 messages of one process, and print the log."""

    async def keep(client: Client) -> tuple[m.RecordedEvent, ...]:
        target = await find_process(client, process)
        view = await client.request(methods.PROCESS, m.InspectProcess(pid=target.pid))
        if off or view.log is None:
            request = m.LogProcess(pid=target.pid, boot_id=view.boot_id, on=not off, reason=reason)
            await client.request(methods.LOG_PROCESS, request)
        return view.log or ()

    events = with_client(node, cookie_file, keep)
    show(events, output, lambda: block([event_line(one) for one in events] or [line(span("The log is empty."))]))


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@click.option(
    "--seconds", type=Seconds(min=0.1, max=300), default=10.0, show_default=True, help="The time for which to trace."
)
@click.option(
    "--rate", type=click.IntRange(1, 100), default=20, show_default=True, help="The maximum number of events a second."
)
@reason_option
@output_option
def trace(
    node: str, cookie_file: Path | None, process: str, seconds: float, rate: int, reason: str | None, output: str
) -> None:
    """Trace one process for some seconds, and print its messages and replies live."""

    async def follow(client: Client) -> m.ProcessTrace:
        target = await find_process(client, process)
        request = m.TraceProcess(pid=target.pid, boot_id=client.info.boot_id, seconds=seconds, rate=rate, reason=reason)
        await client.request(methods.TRACE_PROCESS, request)
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + seconds, _NewEvents()
        while True:
            over = loop.time() >= end
            found = (await client.request(methods.PROCESS, m.InspectProcess(pid=target.pid))).trace
            assert found is not None
            for event in seen.of(found):
                if output == "json":
                    print_line(event)
                else:
                    print_table(line_text(event_line(event)))
            if over:
                return found
            await asyncio.sleep(min(POLL_SECONDS, max(0.0, end - loop.time())))

    found = with_client(node, cookie_file, follow)
    if found.left_out:
        click.echo(f"{found.left_out:,} events were left out (limit {rate} a second).", err=True)


class _NewEvents:
    """Finds the events of a trace that have not been printed yet."""

    def __init__(self) -> None:
        self._seen: tuple[m.RecordedEvent, ...] = ()

    def of(self, trace: m.ProcessTrace) -> Iterator[m.RecordedEvent]:
        """Yield the events that are newer than the last event that an earlier call has yielded."""
        seen, self._seen = self._seen, trace.events
        if seen and seen[-1] in trace.events:
            yield from trace.events[len(trace.events) - trace.events[::-1].index(seen[-1]) :]
        else:
            yield from trace.events


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@click.option(
    "--seconds",
    type=Seconds(min=0.1, max=3600),
    default=60.0,
    show_default=True,
    help="The number of seconds after which the process resumes by itself.",
)
@yes_option
@reason_option
@output_option
def suspend(
    node: str, cookie_file: Path | None, process: str, seconds: float, yes: bool, reason: str | None, output: str
) -> None:
    """Suspend one process: until it is resumed, or for some seconds, it handles no messages."""

    async def run(client: Client) -> m.ProcessSummary:
        target = await find_process(client, process)
        confirm(f"suspend {title_of(target)} <{target.pid}> on {node}?", yes)
        request = m.SuspendProcess(pid=target.pid, boot_id=client.info.boot_id, seconds=seconds, reason=reason)
        await client.request(methods.SUSPEND_PROCESS, request)
        return target

    target = with_client(node, cookie_file, run)
    show(target, output, lambda: _done(target, f"suspended for {seconds:g} s"))


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@click.option("--yes", is_flag=True, expose_value=False, help="Has no effect: resume never asks for confirmation.")
@reason_option
@output_option
def resume(node: str, cookie_file: Path | None, process: str, reason: str | None, output: str) -> None:
    """Resume one process that an operator has suspended."""

    async def run(client: Client) -> m.ProcessSummary:
        target = await find_process(client, process)
        request = m.ProcessTarget(pid=target.pid, boot_id=client.info.boot_id, reason=reason)
        await client.request(methods.RESUME_PROCESS, request)
        return target

    target = with_client(node, cookie_file, run)
    show(target, output, lambda: _done(target, "resumed"))


def _done(target: m.ProcessSummary, what: str) -> RenderableType:
    return Text(f"{title_of(target)} <{target.pid}> is {what}.")


VERBS = (log, trace, suspend, resume)
