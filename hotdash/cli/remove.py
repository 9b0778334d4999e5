"""`hotdash remove`: delete a release."""

from __future__ import annotations

from pathlib import Path

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods

from . import tables
from .confirmation import confirm_at_terminal
from .output import show
from .session import with_client
from .shared_options import node_options, output_option, terminal_yes_option
from .shell.values import complete_versions


@click.command()
@node_options
@click.argument("vsn", shell_complete=complete_versions)
@terminal_yes_option
@output_option
def remove(node: str, cookie_file: Path | None, vsn: str, yes: bool, output: str) -> None:
    """Delete release VSN from the node's directory. The current and the permanent release can't be removed."""
    confirm_at_terminal(f"delete release {vsn} from {node}?", yes)
    left = with_client(node, cookie_file, lambda client: client.request(methods.REMOVE, m.ReleaseVsn(vsn=vsn)))
    show(left.releases, output, lambda: tables.releases(left.releases))


VERBS = (remove,)
