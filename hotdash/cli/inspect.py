"""Verbs that inspect a node and change nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode

from . import tables
from .output import show
from .session import find_process, with_client
from .shared_options import node_options, output_option

VERIFY_SECONDS = 60.0
"""The time limit for a node's verification of its audit log."""


async def _snapshot(client: Client) -> m.Snapshot:
    return await client.request(methods.SNAPSHOT)


@click.command()
@node_options
@output_option
def status(node: str, cookie_file: Path | None, output: str) -> None:
    """Show the identity, release, load and health of NODE."""
    snapshot = with_client(node, cookie_file, _snapshot)
    fields = {"info": snapshot.info, "vitals": snapshot.vitals, "operation": snapshot.operation}
    show(fields, output, lambda: tables.status(snapshot))


@click.command()
@node_options
@output_option
def tree(node: str, cookie_file: Path | None, output: str) -> None:
    """Draw the supervision tree."""
    snapshot = with_client(node, cookie_file, _snapshot)
    fields = {"applications": snapshot.applications, "processes": snapshot.processes, "children": snapshot.children}
    show(fields, output, lambda: tables.tree(snapshot))


@click.command()
@node_options
@output_option
def ps(node: str, cookie_file: Path | None, output: str) -> None:
    """List the live processes."""
    snapshot = with_client(node, cookie_file, _snapshot)
    show(snapshot.processes, output, lambda: tables.processes(snapshot))


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME")
@output_option
def state(node: str, cookie_file: Path | None, process: str, output: str) -> None:
    """Show the live state of one process. The process gets no message."""

    async def read_state(client: Client) -> m.StateView:
        target = find_process(await _snapshot(client), process)
        return await client.request(methods.STATE, m.GetState(pid=target.pid))

    view = with_client(node, cookie_file, read_state)
    show(view, output, lambda: tables.state(view))


@click.command()
@node_options
@output_option
def modules(node: str, cookie_file: Path | None, output: str) -> None:
    """List the modules with their current and old versions."""
    snapshot = with_client(node, cookie_file, _snapshot)
    show(snapshot.modules, output, lambda: tables.modules(snapshot))


@click.command()
@node_options
@output_option
def releases(node: str, cookie_file: Path | None, output: str) -> None:
    """List the releases in the node's directory."""
    found = with_client(node, cookie_file, lambda client: client.request(methods.RELEASES))
    show(found.releases, output, lambda: tables.releases(found.releases))


@click.command()
@node_options
@click.argument("operation", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The maximum number listed.")
@click.option(
    "--all", "everything", is_flag=True, help="List the operations instead of showing the results of one operation."
)
@output_option
def results(
    node: str, cookie_file: Path | None, operation: str | None, limit: int, everything: bool, output: str
) -> None:
    """Show what OPERATION, or the newest operation, did to each process."""
    if everything:
        listed = with_client(node, cookie_file, lambda c: c.request(methods.OPERATIONS, m.ListLimit(limit=limit)))
        show(listed.operations, output, lambda: tables.operations(listed.operations))
        return
    wanted = m.GetOperation(operation=operation)
    found = with_client(node, cookie_file, lambda client: client.request(methods.OPERATION, wanted))
    show(found, output, lambda: tables.results(found))


@click.command()
@node_options
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="The maximum number shown.")
@click.option("--follow", "-f", is_flag=True, help="Also print new events until interrupted.")
@output_option
def events(node: str, cookie_file: Path | None, limit: int, follow: bool, output: str) -> None:
    """Show the newest events."""

    async def print_events(client: Client) -> None:
        past = await client.request(methods.EVENTS, m.ListLimit(limit=limit))
        show(past.events, output, lambda: tables.events(past.events))
        if follow:
            async for event in client.events():
                if isinstance(event, m.NodeEvent) and event.kind != "vitals":
                    show(event, output, lambda event=event: tables.event_line(event))  # type: ignore[misc]  # bound now

    with_client(node, cookie_file, print_events)


@click.command()
@node_options
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The maximum number shown.")
@click.option("--verify", is_flag=True, help="Let the node check that nothing was changed, inserted or removed.")
@output_option
def audit(node: str, cookie_file: Path | None, limit: int, verify: bool, output: str) -> None:
    """Show the audit log: which changes were requested, and by whom."""
    if verify:
        check = with_client(node, cookie_file, lambda c: c.request(methods.AUDIT_VERIFY, timeout=VERIFY_SECONDS))
        show(check, output, lambda: tables.text(check.sentence))
        if not check.intact:
            sys.exit(ExitCode.REFUSED)
        return
    found = with_client(node, cookie_file, lambda client: client.request(methods.AUDIT, m.ListLimit(limit=limit)))
    show(found.entries, output, lambda: tables.audit(found.entries))


VERBS = (status, tree, ps, state, modules, releases, results, events, audit)
