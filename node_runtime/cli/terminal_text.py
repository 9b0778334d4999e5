"""Prints text for a terminal. The text may come from a tarball or a project of a stranger."""

from __future__ import annotations

import click

from node_runtime.protocol.escape import escape_json


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    r"""Print text as `click.echo` does. Unprintable characters other than line feeds and tabs are written as `\uXXXX`.

    So no text can control the terminal or hide a part of itself, and JSON and TOML keep their meaning.
    """
    click.echo("\t".join(map(escape_json, str(text).split("\t"))), err=err, nl=nl)
