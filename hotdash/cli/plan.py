"""`hotdash plan`: show what an install would do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode

from . import tables
from .output import show
from .rehearsal_progress import reporting_rehearsals
from .session import with_client
from .shared_options import node_options, output_option
from .shell.values import complete_versions

CHANGES_EXIT_CODE = 10
"""The exit code of `--detailed-exitcode` for a plan that would change something."""


@click.command()
@node_options
@click.argument("vsn", shell_complete=complete_versions)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 when the plan would change something.")
@output_option
def plan(node: str, cookie_file: Path | None, vsn: str, detailed_exitcode: bool, output: str) -> None:
    """Show what an upgrade or downgrade to VSN would do to NODE now. Nothing is changed."""
    made = with_client(node, cookie_file, lambda client: make_plan(client, vsn))
    show(made, output, lambda: tables.plan(made))
    if made.blockers:
        sys.exit(ExitCode.REFUSED)
    if detailed_exitcode and not made.nothing_to_do:
        sys.exit(CHANGES_EXIT_CODE)


async def make_plan(client: Client, vsn: str) -> m.Plan:
    """Request the plan for `vsn`; print the progress of a long rehearsal on stderr."""
    async with reporting_rehearsals(client):
        return await client.plan(vsn)


VERBS = (plan,)
