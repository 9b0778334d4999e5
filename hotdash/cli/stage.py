"""`hotdash stage`: upload a release."""

from __future__ import annotations

from pathlib import Path

import click

from hotdash.model.trust_lines import signature_words
from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import Refused

from .output import show
from .session import with_client
from .shared_options import node_options, output_option


@click.command()
@node_options
@click.argument("tarball", type=click.Path(path_type=Path))
@click.option(
    "--allow-older", is_flag=True, help="Accept a signed build that is older than the newest one that NODE committed."
)
@output_option
def stage(node: str, cookie_file: Path | None, tarball: Path, allow_older: bool, output: str) -> None:
    """Upload a release to NODE, which verifies and unpacks it. The running code is not changed.

    If the signature TARBALL.minisig is beside TARBALL, the command sends it, too.
    """
    if not tarball.is_file():
        raise Refused(f"There is no file {clip_path(tarball)}; 'node-runtime build' makes a release's tarball.")
    release = with_client(node, cookie_file, lambda client: client.stage(tarball, allow_older=allow_older))
    signer = signature_words(release.signature)
    show(release, output, lambda: f"{release.name} {release.vsn} is {release.status} on {node}, {signer}.")


VERBS = (stage,)
