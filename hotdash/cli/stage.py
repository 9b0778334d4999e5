"""`hotdash stage`: upload a release."""

from __future__ import annotations

from pathlib import Path

import click

from node_runtime.protocol.exit_codes import Refused

from .output import show
from .session import with_client
from .shared_options import node_options, output_option


@click.command()
@node_options
@click.argument("tarball", type=click.Path(path_type=Path))
@output_option
def stage(node: str, cookie_file: Path | None, tarball: Path, output: str) -> None:
    """Upload a release to NODE, which verifies and unpacks it. The running code is not changed."""
    if not tarball.is_file():
        raise Refused(f"There is no file {tarball}; 'node-runtime build' makes a release's tarball.")
    release = with_client(node, cookie_file, lambda client: client.stage(tarball))
    show(release, output, lambda: f"{release.name} {release.vsn} is {release.status} on {node}.")


VERBS = (stage,)
