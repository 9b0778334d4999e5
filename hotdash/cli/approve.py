"""`hotdash approve`: approve the install of a release that another person has staged or planned."""

from __future__ import annotations

from pathlib import Path

import click

from hotdash.model.releases.trust_lines import approved_words
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods

from .output import show
from .session import with_client
from .shared_options import node_options, output_option, reason_option
from .shell.values import complete_versions


@click.command()
@node_options
@click.argument("target", metavar="VSN|PLAN_ID", shell_complete=complete_versions)
@reason_option
@output_option
def approve(node: str, cookie_file: Path | None, target: str, reason: str | None, output: str) -> None:
    """Approve the install of a release, or of one plan, on a node whose `approvals` setting requires several people."""
    request = m.Approve(target=target, reason=reason)
    done = with_client(node, cookie_file, lambda client: client.request(methods.APPROVE, request))
    show(done, output, lambda: approved_words(done, node))


VERBS = (approve,)
