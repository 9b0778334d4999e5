"""`hotdash diff`: the modules in which two nodes differ."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import RenderableType

from hotdash.cli.output import show
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import output_option
from hotdash.cli.shell.values import complete_nodes
from hotdash.cli.tables.layout import columns, text
from hotdash.config.settings import read_settings, settings_path
from hotdash.model.module_difference import ModuleDifference, module_differences
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods


@click.command()
@click.argument("node", shell_complete=complete_nodes)
@click.argument("other", shell_complete=complete_nodes)
@output_option
def diff(node: str, other: str, output: str) -> None:
    """Show the modules in which NODE and OTHER differ. A remote node needs its cookie file in config.toml."""
    first, second = _summary(node), _summary(other)
    found = module_differences(first.modules, second.modules)
    show(
        found, output, lambda: _table(found, (node, other)) if found else text(f"{node} and {other} run the same code.")
    )


def _summary(node: str) -> m.NodeSummary:
    remote = read_settings(settings_path()).nodes.get(node)
    cookie_file: Path | None = remote.cookie_path() if remote is not None else None
    return with_client(node, cookie_file, lambda client: client.request(methods.SUMMARY))


def _table(found: list[ModuleDifference], nodes: tuple[str, str]) -> RenderableType:
    table = columns("module", *nodes)
    for one in found:
        table.add_row(text(one.module, "name"), text(one.first or "not there"), text(one.second or "not there"))
    return table


VERBS = (diff,)
