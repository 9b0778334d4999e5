"""The verb `node-runtime sbom`: prints the bill of materials of a release."""

from __future__ import annotations

from pathlib import Path

import click

from node_runtime.protocol.exit_codes import ExitCode, Refused

from .terminal_text import echo


@click.command()
@click.argument("release", type=click.Path(path_type=Path, exists=True))
@click.argument("vsn", required=False)
def sbom(release: Path, vsn: str | None) -> None:
    """Print the bill of materials of RELEASE, a tarball or a node's directory: a CycloneDX document in JSON.

    VSN is the release in a node's directory; without it, the permanent release. The document, and for a tarball all
    other files too, are compared with the manifest first. No signature is checked: see `verify`.
    """
    from node_runtime.releases.store.sbom import sbom_in_directory, sbom_in_tarball

    if release.is_dir():
        document = sbom_in_directory(release, vsn)
    elif vsn is not None:
        raise Refused("VSN is only for a node's directory; a tarball has one release.", ExitCode.USAGE)
    else:
        document = sbom_in_tarball(release)
    echo(document.decode("utf-8", "backslashreplace"), nl=False)
