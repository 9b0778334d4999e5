"""`hotdash stage`: upload a release."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import click

from hotdash.model.releases.trust_lines import signature_words
from hotdash.model.units import size
from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import Refused

from .output import show
from .session import with_client
from .shared_options import node_options, output_option

QUIET_SECONDS: Final = 0.5
"""Seconds before the first line of progress."""


class UploadProgress:
    """Prints on stderr how much of a tarball has been uploaded: one line that changes on a terminal, else a line now
    and then. A short upload prints nothing.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._pause = 0.1 if self._terminal else 5.0
        self._due = time.monotonic() + QUIET_SECONDS
        self._begun = False

    def show(self, sent: int, total: int) -> None:
        """Print the progress, if it is due: `sent` bytes of `total`."""
        done = sent >= total
        if time.monotonic() < self._due and not (done and self._begun):
            return
        self._due = time.monotonic() + self._pause
        self._begun = True
        words = f"Uploaded {sent * 100 // max(total, 1)} % of {size(total)}."
        words += " The node verifies and unpacks it." if done else ""
        click.echo(f"\r{words}\x1b[K" if self._terminal else words, err=True, nl=done or not self._terminal)


@click.command()
@node_options
@click.argument("tarball", type=click.Path(path_type=Path))
@click.option(
    "--allow-older",
    is_flag=True,
    help="Accept a signed build that is older than the newest build that NODE has committed.",
)
@output_option
def stage(node: str, cookie_file: Path | None, tarball: Path, allow_older: bool, output: str) -> None:
    """Upload a release to NODE, which verifies and unpacks it. The running code is not changed.

    If the signature TARBALL.minisig is beside TARBALL, the command sends it, too.
    """
    if not tarball.is_file():
        raise Refused(f"There is no file {clip_path(tarball)}; 'node-runtime build' makes a release's tarball.")
    progress = UploadProgress()
    release = with_client(
        node, cookie_file, lambda client: client.stage(tarball, progress.show, allow_older=allow_older)
    )
    signer = signature_words(release.signature)
    show(release, output, lambda: f"{release.name} {release.vsn} is {release.status} on {node}, {signer}.")


VERBS = (stage,)
