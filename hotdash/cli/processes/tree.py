"""`hotdash tree`: the supervision tree of a node."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import click

from hotdash.cli import tables
from hotdash.cli.output import JsonObject, print_table
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import node_options, output_option
from hotdash.cli.watch import watch_option
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.process_filter import parse_filter

from .options import filter_option
from .pages import process_pages, tree_pages


@click.command()
@node_options
@filter_option
@click.option("--all", "everything", is_flag=True, help="Show all children of each process, not only the first 50.")
@watch_option
@output_option
def tree(node: str, cookie_file: Path | None, everything: bool, output: str, **query: str) -> None:
    """Draw the supervision tree, with siblings in the order of their child specifications."""
    wanted = query["filter"]
    parse_filter(wanted)

    async def print_tree(client: Client) -> None:
        query = m.TreeQuery(filter=wanted, unfolded=everything)
        print_table(tables.text(client.info.name, "strong"))
        async with aclosing(tree_pages(client, query)) as pages:
            async for page in pages:
                print_table(tables.tree_lines(page))

    async def print_json(client: Client) -> None:
        summary = await client.request(methods.SUMMARY)
        with JsonObject() as fields:
            fields.add("applications", summary.applications)
            with fields.list("processes") as processes:
                query = m.ProcessQuery(filter=wanted, details=("links",))
                async with aclosing(process_pages(client, query, None)) as listed:
                    async for page in listed:
                        processes.add(page.rows)
            with fields.list("children") as children:
                async with aclosing(tree_pages(client, m.TreeQuery(unfolded=True))) as drawn:
                    async for lines in drawn:
                        children.add(tuple(line.child for line in lines.lines if line.child is not None))

    with_client(node, cookie_file, print_json if output == "json" else print_tree)


VERBS = (tree,)
