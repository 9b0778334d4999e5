"""Verbs that inspect a node and change nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hotdash.model.old_code_lines import pids_of
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, MissedEvents
from node_runtime.protocol.exit_codes import ExitCode

from . import tables
from .output import repeated_output, show
from .processes.crashes import crashes_since, newest_install
from .processes.pages import titles_of
from .session import with_client
from .shared_options import node_options, output_option
from .shell.values import complete_operations
from .watch import watch_option

VERIFY_SECONDS = 60.0
"""The time limit for a node's verification of its audit log."""
OLD_CODE_SECONDS = 60.0
"""The time limit for the node's search for everything that keeps old versions."""


@click.command()
@node_options
@watch_option
@output_option
def status(node: str, cookie_file: Path | None, output: str) -> None:
    """Show the identity, release, load and health of NODE."""
    summary = with_client(node, cookie_file, lambda client: client.request(methods.SUMMARY))
    fields: dict[str, object] = {"info": summary.info, "vitals": summary.vitals, "operation": summary.operation}
    fields["workers"] = summary.workers
    show(fields, output, lambda: tables.status(summary))


@click.command()
@node_options
@watch_option
@output_option
def modules(node: str, cookie_file: Path | None, output: str) -> None:
    """List the modules with their current and old versions, and what keeps each old version."""

    async def read(client: Client) -> tuple[tuple[m.ModuleInfo, ...], dict[str, m.OldCode], dict[int, str]]:
        listed = (await client.request(methods.SUMMARY)).modules
        if not any(module.old_vsn for module in listed):
            return listed, {}, {}
        old = await client.request(methods.OLD_CODE, timeout=OLD_CODE_SECONDS)
        return listed, {one.module: one for one in old.modules}, await titles_of(client, pids_of(old.modules))

    listed, old, names = with_client(node, cookie_file, read)
    fields = [{**_fields(module), "old_holders": _holders(old.get(module.name))} for module in listed]
    show(fields, output, lambda: tables.modules(listed, old, names))


def _fields(module: m.ModuleInfo) -> dict[str, object]:
    return {field: getattr(module, field) for field in module.__struct_fields__}


def _holders(old: m.OldCode | None) -> tuple[m.OldCodeHolder, ...]:
    return () if old is None else old.holders


@click.command()
@node_options
@watch_option
@output_option
def releases(node: str, cookie_file: Path | None, output: str) -> None:
    """List the releases in the node's directory."""
    found = with_client(node, cookie_file, lambda client: client.request(methods.RELEASES))
    show(found.releases, output, lambda: tables.releases(found.releases))


@click.command()
@node_options
@click.argument("operation", required=False, shell_complete=complete_operations)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="The maximum number of operations that --all lists.",
)
@click.option(
    "--all", "everything", is_flag=True, help="List the operations instead of showing the results of one operation."
)
@watch_option
@output_option
def results(
    node: str, cookie_file: Path | None, operation: str | None, limit: int, everything: bool, output: str
) -> None:
    """Show what OPERATION did to each process. Without OPERATION, show the newest one; a commit with its install."""
    if everything:
        listed = with_client(node, cookie_file, lambda c: c.request(methods.OPERATIONS, m.ListLimit(limit=limit)))
        show(listed.operations, output, lambda: tables.operations(listed.operations))
        return
    found, committed, crashes = with_client(node, cookie_file, lambda client: _find_results(client, operation))
    show(found, output, lambda: tables.results(found, committed, crashes))


async def _find_results(
    client: Client, operation: str | None
) -> tuple[m.Operation, m.Operation | None, dict[int, str]]:
    """Return (operation, its commit or None, the crashes since the operation). By default, take the newest operation.

    A commit has no results for processes. So if the newest operation is a commit, return the committed install with it.
    """
    found = await client.request(methods.OPERATION, m.GetOperation(operation=operation))
    committed = None
    if operation is None and found.outcome == "committed":
        install = await newest_install(client, found.to_vsn)
        if install is not None:
            wanted = m.GetOperation(operation=install.id)
            found, committed = await client.request(methods.OPERATION, wanted), found
    crashes = await crashes_since(client, found) if any(one.outcome == "ok" for one in found.results) else {}
    return found, committed, crashes


@click.command()
@node_options
@click.option(
    "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="The maximum number of past events."
)
@click.option("--follow", "-f", is_flag=True, help="Also print new events until interrupted.")
@output_option
def events(node: str, cookie_file: Path | None, limit: int, follow: bool, output: str) -> None:
    """Show the newest events. With --follow, -o json prints one object per line."""

    async def print_events(client: Client) -> None:
        if follow:
            with repeated_output():
                await _follow_events(client, limit, output)
        else:
            past = await client.request(methods.EVENTS, m.ListLimit(limit=limit))
            show(past.events, output, lambda: tables.events(past.events))

    with_client(node, cookie_file, print_events)


async def _follow_events(client: Client, limit: int, output: str) -> None:
    """Print past and new events, each once and without a gap."""
    last = -1
    async for item in client.events():
        if isinstance(item, MissedEvents):
            past = await client.request(methods.EVENTS, m.ListLimit(limit=limit))
            new = [event for event in past.events if event.seq > last]
        else:
            new = [item] if item.seq > last else []
        for event in (one for one in new if one.kind != "vitals"):
            show(event, output, lambda event=event: tables.event_line(event))  # type: ignore[misc]  # bound now
            last = event.seq
        sys.stdout.flush()


@click.command()
@node_options
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The maximum number of entries."
)
@click.option("--verify", is_flag=True, help="Let the node check that no entry was changed, inserted or removed.")
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


VERBS = (status, modules, releases, results, events, audit)
