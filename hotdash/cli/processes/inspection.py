"""`hotdash process`: one process in depth."""

from __future__ import annotations

from pathlib import Path

import click

from hotdash.cli.output import show
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import node_options, output_option
from hotdash.cli.shell.values import complete_processes
from hotdash.cli.tables.layout import block
from hotdash.cli.watch import watch_option
from hotdash.model.process.bug_report import markdown_report
from hotdash.model.process.facts import fact_lines
from hotdash.model.process.outline import EVERYTHING_OPEN, flatten
from hotdash.model.process.state_outline import state_outline
from hotdash.model.process.surroundings import surroundings
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client

from .pages import find_process


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@click.option("--report", is_flag=True, help="Print a bug report as Markdown.")
@watch_option
@output_option
def process(node: str, cookie_file: Path | None, process: str, report: bool, output: str) -> None:
    """Show one process in depth: state, mailbox, relations, waits, timeouts, last exits and recorded messages.

    The process gets no message.
    """

    async def read(client: Client) -> tuple[m.NodeInfo, m.ProcessView]:
        target = await find_process(client, process)
        return client.info, await client.request(methods.PROCESS, m.InspectProcess(pid=target.pid))

    info, view = with_client(node, cookie_file, read)
    if report:
        click.echo(markdown_report(info, view, None), nl=False)
        return
    nodes = (*state_outline(view, None), *surroundings(view, view.at))
    rows = flatten(nodes, EVERYTHING_OPEN)
    show(view, output, lambda: block([*fact_lines(view, view.at), (), *(row.line for row in rows)]))


VERBS = (process,)
