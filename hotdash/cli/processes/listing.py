"""`hotdash ps` and `hotdash state`: the processes of a node as a table, and the state of one of them."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any, get_args

import click

from hotdash.cli import tables
from hotdash.cli.output import JsonList, print_table, show
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import node_options, output_option
from hotdash.cli.shell.values import complete_processes
from hotdash.cli.tables.processes import DEFAULT_COLUMNS, PROCESS_COLUMNS, ProcessTable
from hotdash.cli.watch import watch_option
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.process_filter import parse_filter

from .options import filter_option
from .pages import find_process, process_pages


def _column_names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Split a comma-separated list of column names."""
    names = DEFAULT_COLUMNS if value is None else tuple(word.strip() for word in value.split(",") if word.strip())
    for name in names:
        if name not in PROCESS_COLUMNS:
            raise click.BadParameter(f"{name!r} is not a column; use {', '.join(PROCESS_COLUMNS)}.")
    return names


@click.command()
@node_options
@filter_option
@click.option(
    "--sort",
    "order",
    type=click.Choice(get_args(m.ProcessOrder)),
    default="pid",
    show_default=True,
    help="The order of the processes. Largest numbers come first, except for the pid.",
)
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--limit", type=click.IntRange(min=1), help="The maximum number of processes.")
@click.option(
    "--columns",
    metavar="NAME,…",
    callback=_column_names,
    help=f"The columns of the table: {', '.join(PROCESS_COLUMNS)}.",
)
@watch_option
@output_option
def ps(
    node: str, cookie_file: Path | None, limit: int | None, columns: tuple[str, ...], output: str, **query: Any
) -> None:
    """List the live processes. The node filters and sorts them."""
    parse_filter(query["filter"])
    details: tuple[m.ProcessDetail, ...] = ("links", "arguments") if output == "json" else ()
    if "arguments" in columns:
        details = ("arguments",)
    wanted = m.ProcessQuery(details=details, **query)

    async def print_pages(client: Client) -> None:
        table = ProcessTable(columns)
        with JsonList(output) as listed:
            async with aclosing(process_pages(client, wanted, limit)) as pages:
                async for page in pages:
                    if output == "json":
                        listed.add(page.rows)
                    else:
                        print_table(table.rows(page.rows))

    with_client(node, cookie_file, print_pages)


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@watch_option
@output_option
def state(node: str, cookie_file: Path | None, process: str, output: str) -> None:
    """Show the live state of one process. The process gets no message."""

    async def read_state(client: Client) -> m.StateView:
        target = await find_process(client, process)
        return await client.request(methods.STATE, m.GetState(pid=target.pid))

    view = with_client(node, cookie_file, read_state)
    show(view, output, lambda: tables.state(view))


VERBS = (ps, state)
