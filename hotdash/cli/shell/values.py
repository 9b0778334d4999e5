"""The values with which a shell completes an argument: nodes, versions, processes, modules and operations.

A shell waits for the values while the user types, so a node has to answer within two seconds. After a failure, nothing
is completed, and no message is printed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from hotdash.cli.session import with_client
from hotdash.config.settings import read_settings, settings_path
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import list_records

WAIT_SECONDS: Final = 2.0
MAX_PROCESSES: Final = 500
"""The maximum number of processes that are offered."""
_PLAIN: Final = re.compile(r"[\w.@:+/<>-]{1,200}", re.ASCII)
"""Matches a value that a shell reads as one word without quotes. Other values, which a node may send, are not
offered."""

Choices = Iterable[tuple[str, str]]
"""Values, each with a short explanation that some shells show."""


def complete_nodes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a node on this machine or in the settings file."""
    found: list[tuple[str, str]] = []
    with suppress(Refused, OSError):
        found += [(record.name, f"{record.release} {record.vsn}") for record in list_records()]
    with suppress(Refused, OSError):
        found += [(name, "from the settings") for name in read_settings(settings_path()).nodes]
    return _items(found, incomplete)


def complete_versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the version of a release in the node's directory."""

    async def read(client: Client) -> Choices:
        found = await client.request(methods.RELEASES)
        return [(release.vsn, release.status) for release in found.releases]

    return _ask(ctx, read, incomplete)


def complete_processes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a process, or the pid of a process without a name."""

    async def read(client: Client) -> Choices:
        page = await client.request(methods.PROCESSES, m.ProcessQuery(order="name", limit=MAX_PROCESSES))
        return [(one.name or str(one.pid), f"{one.kind} {one.module}") for one in page.rows]

    return _ask(ctx, read, incomplete)


def complete_modules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a module that has an old version."""

    async def read(client: Client) -> Choices:
        summary = await client.request(methods.SUMMARY)
        return [(one.name, f"old {one.old_app_vsn}") for one in summary.modules if one.old_vsn is not None]

    return _ask(ctx, read, incomplete)


def complete_operations(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of an operation, the newest first."""

    async def read(client: Client) -> Choices:
        found = await client.request(methods.OPERATIONS, m.ListLimit(limit=20))
        return [(one.id, f"{one.kind} {one.to_vsn}: {one.outcome or one.phase}") for one in reversed(found.operations)]

    return _ask(ctx, read, incomplete)


def _ask(
    ctx: click.Context, read: Callable[[Client], Coroutine[Any, Any, Choices]], incomplete: str
) -> list[CompletionItem]:
    node, cookie_file = ctx.params.get("node"), ctx.params.get("cookie_file")
    if not isinstance(node, str):
        return []

    async def limited(client: Client) -> Choices:
        return await asyncio.wait_for(read(client), WAIT_SECONDS)

    try:
        return _items(with_client(node, Path(cookie_file) if cookie_file else None, limited), incomplete)
    except (Refused, OSError, TimeoutError):
        return []


def _items(choices: Choices, incomplete: str) -> list[CompletionItem]:
    plain = {value: about for value, about in choices if value.startswith(incomplete) and _PLAIN.fullmatch(value)}
    return [CompletionItem(value, help="".join(filter(str.isprintable, about))) for value, about in plain.items()]
